"""Pictures of what a configuration describes, before it is run: structures, contrast transfer, images."""
