"""Electron optics as pure functions: wavelength, aberration function, envelopes, contrast transfer."""
