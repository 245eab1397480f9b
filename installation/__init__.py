"""The show: everything that runs in the gallery. Imports neither torch nor a model builder."""
