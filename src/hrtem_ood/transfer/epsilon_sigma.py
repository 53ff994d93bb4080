"""Information-transfer measures ε and σ of sampled contrast transfer: pure functions.

They are this project's statement of the idea of Rangel DaCosta & Scott, arXiv:2512.09067: compare imaging conditions by how much
contrast they transfer, and by how much of it two of them share. They are not that paper's formulas. Neither depends on the
sign of T: a network can learn either contrast, and only frequencies that a condition does not transfer at all are absent from
its images.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio(part: float, whole: float) -> float:
    """Return part/whole, clipped to [−1, 1] against rounding; 0 where the whole is 0."""
    return float(np.clip(part / whole, -1.0, 1.0)) if whole > 0 else 0.0


def epsilon(transfer: Floats, weight: Floats) -> Floats:
    """Transferred part of the band, ε = ∫∫ |T|² w dq dφ / ∫∫ w dq dφ.

    ε lies between 0 (nothing) and 1 (perfect phase contrast everywhere). The integral goes over the azimuth too, so that
    astigmatism counts.

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
    """Shared transfer of two conditions, σ = ∫∫ |T||T′| w dq dφ / √(∫∫ |T|² w dq dφ · ∫∫ |T′|² w dq dφ).

    σ is the cosine between |T| and |T′|: between 0 (no frequency is transferred by both) and 1 (|T| is the same up to a
    factor). Where a condition transfers nothing, σ is defined as 0, also with itself.

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

    def weighted_mean(values: Floats) -> float:
        return float(values.mean(axis=-1) @ weight)

    norm = np.sqrt(weighted_mean(transfer**2) * weighted_mean(other**2))
    return ratio(weighted_mean(np.abs(transfer * other)), float(norm))


def sigma_matrix(transfer: Floats, weight: Floats) -> Floats:
    """Return :func:`sigma` of every pair of conditions, by one matrix product.

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
    # against rounding: the diagonal is exactly 1, or 0 where nothing is transferred
    np.fill_diagonal(overlap, norms[:, 0] > 0)
    return np.asarray(np.clip((overlap + overlap.T) / 2, 0.0, 1.0))
