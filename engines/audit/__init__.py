"""The bias lab: what a model believes about words, measured, drawn, and said with its doubts.

`mirror audit PROMPTS.toml --out DIR`. It measures a model and not people. Built on `engines/targets`, which asks the
same questions to make targets; here every answer gets an interval, a test, and a correction for many tests.
"""
