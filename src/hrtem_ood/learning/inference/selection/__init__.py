"""Choice among trained networks for images without labels."""
