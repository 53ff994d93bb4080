"""One module per figure: each draws on data that is already reduced, and saves nothing."""
