"""The models: networks, importers, export, back-ends, packs, targets, procedural faces, training."""
