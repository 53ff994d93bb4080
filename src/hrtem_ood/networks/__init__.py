"""Segmentation networks as training, evaluation and users of a network share them: architecture, input, files, device."""
