"""Jobs: records, SLURM, plan, status, garbage collection, and checks of the machine."""
