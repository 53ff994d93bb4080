"""Numbers for every training set and test dataset that are known without testing a network."""
