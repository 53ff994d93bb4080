"""The functions of the Python interface, for notebooks; :mod:`hrtem_ood` names all of it.

They only put together what the other rooms do. What is heavy (PyTorch, xarray, pandas) is imported when it is needed.
"""
