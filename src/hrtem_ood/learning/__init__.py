"""Segmentation networks: architectures, training, evaluation and inference."""
