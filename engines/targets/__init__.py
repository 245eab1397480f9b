"""Targets: from a prompt to a latent, with its reasons. Offline; the show only reads what is made here."""
