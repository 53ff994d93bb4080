"""Previews of a configuration before a run: structures, contrast transfer, images."""
