"""Network architectures, what they cost, and the receptive field."""
