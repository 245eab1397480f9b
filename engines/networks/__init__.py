"""The public networks in plain PyTorch: StyleGAN2, pSp's encoder, e4e's encoder."""
