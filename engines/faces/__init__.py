"""The project's own face: a procedural portrait with exact ground truth and no photograph behind it.

`parameters` is the table of what a portrait can vary, `sampler` draws people from it, `geometry` computes pose, crop
and landmarks, and `renderer` draws. Nothing here imports torch.
"""
