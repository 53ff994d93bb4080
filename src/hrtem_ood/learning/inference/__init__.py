"""Use of a trained network: on micrographs, at stated conditions, and in other programs."""
