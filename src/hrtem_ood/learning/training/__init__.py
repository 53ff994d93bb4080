"""Training of one network with Lightning, from a training set and hyperparameters."""
