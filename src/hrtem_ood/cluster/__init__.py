"""SLURM: what jobs and the head of a campaign need to know of it."""
