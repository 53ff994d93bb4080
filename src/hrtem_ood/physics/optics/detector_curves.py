"""Curves of a detector, interpolated between measured values."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def interpolate_detector_curve(values: Sequence[float] | None, of_nyquist: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a curve, given at equal steps from 0 to the Nyquist frequency and constant beyond.

    Parameters
    ----------
    values : sequence of float or None
        None for 1 throughout.
    of_nyquist : float array, (…), [1]
        Frequencies in units of the Nyquist frequency.

    Returns
    -------
    float64 array, (…), [1]
    """
    if values is None:
        return np.ones_like(of_nyquist)
    return np.asarray(np.interp(of_nyquist, np.linspace(0, 1, len(values)), values))
