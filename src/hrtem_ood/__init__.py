"""Find out how far a neural network can be trusted outside the HRTEM imaging conditions that it was trained on."""
