"""Which imaging conditions to train under, for those where a network will be used."""
