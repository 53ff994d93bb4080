"""What an image alone tells of its dose, contrast, defocus, astigmatism and lattices."""
