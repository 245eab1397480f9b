"""Checkpoints from outside: read without executing anything, checked, and turned into a pack."""
