"""Per-image scores and features of networks."""
