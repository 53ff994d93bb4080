"""One module per row of the catalogue of figures: each draws and describes one figure, and writes no file."""
