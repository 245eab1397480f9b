"""The show that nobody tends: `mirror kiosk`, and what proves that it holds.

Flow: `cli.py` -> `run.py` (the supervisor) -> show, eye, curtain and docent page as processes of their own.
Pure decisions are in `core/kiosk.py`, `core/kiosk_day.py` and `core/opening_hours.py`.
"""
