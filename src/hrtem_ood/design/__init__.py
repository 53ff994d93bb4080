"""Choice of imaging conditions to train under, for the conditions in which a network will be used."""
