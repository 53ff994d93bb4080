"""Scores of all networks, aggregated into cells, and statistics of them."""
