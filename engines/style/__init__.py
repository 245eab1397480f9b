"""Neural style: adaptive instance normalisation, trained here or imported, with any picture as the style."""
