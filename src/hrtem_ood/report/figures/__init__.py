"""One module per figure: each draws data that is already reduced, and saves nothing."""
