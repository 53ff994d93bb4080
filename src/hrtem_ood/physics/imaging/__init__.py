"""Electron-count images and label masks of exit waves under one imaging condition."""
