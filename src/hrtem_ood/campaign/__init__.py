"""Configuration, grid expansion, identities and packs: every stage's parameters, no stage's code."""
