"""Random nanoparticle structures, and structures read from files."""
