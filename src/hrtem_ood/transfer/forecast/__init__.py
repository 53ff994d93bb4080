"""The forecast: the score of networks of a training set on a test dataset, with an interval, from information transfer alone."""
