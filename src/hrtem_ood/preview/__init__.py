"""Pictures of what a configuration asks for, before it is run: scenes, contrast transfer, images."""
