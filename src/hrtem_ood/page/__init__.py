"""A page on what a campaign found: every sentence follows from the numbers by a rule that is written down."""
