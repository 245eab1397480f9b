"""The studio: portraits from photographs, offline. Uses the same packs, targets, directions and looks as the show."""
