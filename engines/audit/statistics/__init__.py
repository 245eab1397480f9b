"""The arithmetic of the bias lab: pure NumPy, seeded, without files, clocks or models."""
