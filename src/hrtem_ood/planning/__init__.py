"""What a run would make, why, and at what cost; and what no campaign needs any more."""
