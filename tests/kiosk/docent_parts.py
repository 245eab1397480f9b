"""What the tests of the docent page share."""

from installation.kiosk import docent

PIN = "4711"
STALE_S = 30.0
"""Where the tests run, an answer may take long without being meant for another moment."""


def run_patient_docent(*arguments):
    """The body of the page's process, as the kiosk runs it, but with this patience."""
    docent.STALE_S = STALE_S
    docent.run_docent(*arguments)


STATE = {
    "ok": True,
    "mode": "show",
    "paused": False,
    "drawing": True,
    "problems": [],
    "camera": {"state": "live", "message": "", "captured": 900, "fps": 29.9, "faces": 1},
    "show": {
        "drawing": True, "stage": "reflect", "visits": 12, "displayed": 5000, "inferences": 4000, "latency_ms": 63.2,
        "cue": "calm", "cues": ["calm", "storm"], "view": "portrait", "look": "plain", "blackout": False, "light": 1.0,
        "language": "en", "keepsake": "off", "preview": "",
    },
    "restarts": {"show": 0, "eye": 1},
    "uptime_s": 7260.0,
    "next_change": "2026-11-21T18:00+01:00",
}  # fmt: skip
