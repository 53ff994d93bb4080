"""The information-transfer measures ε and σ of sampled contrast transfer: pure functions.

They are this project's own statement of the idea of Rangel DaCosta & Scott, arXiv:2512.09067: compare imaging
conditions by how much contrast they transfer, and by how much of it two of them share. They are not copies of that
paper's formulas. Both are blind to the sign of T: a network may learn either contrast, and what one condition does not
transfer at all is what no network can have seen.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def epsilon(transfer: Floats, weight: Floats) -> Floats:
    """How much of the band a condition transfers.

    ε = ∫∫ |T|² w dq dφ / ∫∫ w dq dφ, between 0 (nothing) and 1 (perfect phase contrast everywhere). The integral goes over
    the azimuth too, so that astigmatism counts.

    Parameters
    ----------
    transfer : float array, (…, q, phi), [1]
        T on a :class:`hrtem_ood.transfer.polar_grid.PolarGrid`.
    weight : float array, (q,), [1]
        The grid's weights, with sum 1.

    Returns
    -------
    float array, (…), [1]

    Examples
    --------
    >>> float(epsilon(np.full((4, 2), 0.5), np.full(4, 0.25)))
    0.25
    """
    return np.asarray((transfer**2).mean(axis=-1) @ weight)


def sigma(transfer: Floats, other: Floats, weight: Floats) -> float:
    """How much of their contrast two conditions share: the sign-blind cosine of their transfer.

    σ = ∫∫ |T||T′| w dq dφ / √(∫∫ |T|² w dq dφ · ∫∫ |T′|² w dq dφ), between 0 (what the one transfers, the other does not)
    and 1 (the same |T| up to a factor). Where a condition transfers nothing at all, σ is defined as 0, with itself too.

    Parameters
    ----------
    transfer, other : float array, (q, phi), [1]
        T and T′ on the same grid.
    weight : float array, (q,), [1]
        The grid's weights.

    Returns
    -------
    float, [1]

    Examples
    --------
    >>> T = np.sin(np.linspace(0, 9, 8))[:, None]
    >>> round(sigma(T, -0.5 * T, np.full(8, 0.125)), 12)
    1.0
    """
    return float(sigma_matrix(np.stack([transfer, other]), weight)[0, 1])


def sigma_matrix(transfer: Floats, weight: Floats) -> Floats:
    """Return :func:`sigma` of every pair of conditions.

    Parameters
    ----------
    transfer : float array, (condition, q, phi), [1]
    weight : float array, (q,), [1]

    Returns
    -------
    float64 array, (condition, condition_prime), [1]
        Symmetric, in [0, 1].
    """
    magnitude = np.abs(transfer, dtype=np.float64) * np.sqrt(weight / transfer.shape[-1])[:, None]
    rows = magnitude.reshape(len(transfer), -1)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    overlap = unit @ unit.T
    # rounding only: keeps the diagonal at exactly 1, or 0 where nothing is transferred
    np.fill_diagonal(overlap, norms[:, 0] > 0)
    return np.asarray(np.clip((overlap + overlap.T) / 2, 0.0, 1.0))
