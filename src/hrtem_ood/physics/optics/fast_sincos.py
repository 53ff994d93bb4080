"""Sine and cosine for compiled loops: vectorised, unlike the library's functions."""

import numpy as np
from numba import njit


@njit(inline="always")
def sincos(rest, quadrant):  # type: ignore[no-untyped-def]  # inlined: its types are those of the caller
    """Return cosine and sine of an angle that is split into quarter turns and a rest.

    The polynomials on [−π/4, π/4] are those of Cephes' ``sinf`` and ``cosf``, good to 10⁻⁷.

    Parameters
    ----------
    rest : float32, [rad]
        In [−π/4, π/4].
    quadrant : int32
        Number of quarter turns, of either sign.

    Returns
    -------
    cosine, sine : float32, [1]
    """
    square = rest * rest
    sine = (np.float32(-1.9515295891e-4) * square + np.float32(8.3321608736e-3)) * square
    sine = ((sine - np.float32(1.6666654611e-1)) * square) * rest + rest
    cosine = (np.float32(2.443315711809948e-5) * square - np.float32(1.388731625493765e-3)) * square
    cosine = ((cosine + np.float32(4.166664568298827e-2)) * square) * square - np.float32(0.5) * square
    cosine = cosine + np.float32(1)
    odd = (quadrant & 1) != 0
    real, imaginary = (sine if odd else cosine), (cosine if odd else sine)
    real = -real if ((quadrant + 1) & 2) != 0 else real
    imaginary = -imaginary if (quadrant & 2) != 0 else imaginary
    return real, imaginary
