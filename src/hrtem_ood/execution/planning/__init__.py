"""What a run would create, why, and at what cost; and files that no campaign uses."""
