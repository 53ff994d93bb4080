"""Information transfer: contrast transfer of conditions, ε, σ, image spectra, and predictors derived from them."""
