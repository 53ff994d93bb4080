"""Frozen-phonon multislice exit waves, and the zero defocus of a structure."""
