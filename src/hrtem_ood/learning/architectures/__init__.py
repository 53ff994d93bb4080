"""Network architectures, their complexity and their receptive fields."""
