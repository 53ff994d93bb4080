"""Predictors: numbers for every training set and test dataset, available without a test of a network."""
