"""Training of the default model pack: generator, encoder, readout and directions from procedural portraits alone."""
