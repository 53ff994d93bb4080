"""The functions of the Python interface, for notebooks; :mod:`hrtem_ood` exports them.

They combine functions of the other packages. Heavy libraries (PyTorch, xarray, pandas) are imported inside the functions.
"""
