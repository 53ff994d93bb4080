"""Defocus and two-fold astigmatism from the Thon rings of the film."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import ndimage, optimize

from hrtem_ood.learning.inference.image_estimates.quantities import Estimate, Quantity, Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import Tiles, bragg_limit, ring_medians
from hrtem_ood.physics.optics.aberrations import aberration_function
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

Floats = NDArray[np.float64]

LOWEST_PER_A = 0.08
"""Frequencies below are left out [1/Å]: slopes of the illumination and shapes of particles are there."""

SECTORS = 12
"""Sectors of half a turn."""

DEFOCUS_STEP_A, LARGEST_DEFOCUS_A = 8.0, 3000.0
SMALLEST_DEFOCUS_A = 20.0
"""Moduli below are not told from 0 [Å]."""

ASTIGMATISM_STEP_A, LARGEST_ASTIGMATISM_A = 15.0, 150.0
THICKNESSES_A = (0.0, 25.0, 50.0, 100.0)
"""Of films, by which rings are blurred."""

HALOS_PER_A, HALO_WIDTH_PER_A = (0.48, 0.84), 0.08
"""Middles and standard deviation of the halos of amorphous carbon, 3.0 and 5.3 rad/Å [1/Å]: they are no rings of defocus (Gilkes,
Gaskell & Robertson, Phys. Rev. B 51 (1995) 12303)."""

SIGNIFICANT = 100.0
"""Least decrease of χ² by rings, in units of the χ² per number that is left over."""

DISTINCT = 0.6
"""Largest decrease of χ² by another defocus, relative to that of the best."""

APART_A = 30.0
"""Defoci further from the best count as others."""

OF_MODEL_A = 5.0
"""Standard deviation of defocus and astigmatism beyond that of counting [Å]: layers of film and particles differ in height."""

ROUNDING_A2 = 1e-20
"""Power of relative contrast that is none but rounding [Å²]."""

LEAST_RINGS = 24
"""Fewest rings of Fourier pixels in which a film's rings are looked for."""


@dataclass(frozen=True)
class Defocus:
    """Defocus and two-fold astigmatism of the film.

    Attributes
    ----------
    modulus_A : Estimate or Unknown, [Å]
        |Δf|; without spherical aberration, the power spectrum does not tell the sign.
    C12_A : Estimate or Unknown, [Å]
    phi12_rad : Estimate or Unknown, [rad]
        In (−π/2, π/2], of underfocus; of overfocus, π/2 from it.
    """

    modulus_A: Quantity
    C12_A: Quantity
    phi12_rad: Quantity


@dataclass(frozen=True)
class PolarSpectrum:
    """A power spectrum, averaged over rings and sectors without lattice peaks.

    Attributes
    ----------
    q_per_A : float64 array, (q,), [1/Å]
    azimuth_rad : float64 array, (sector,), [rad]
        Middle of each sector.
    power : float64 array, (sector, q), [Å²]
    precision : float64 array, (sector, q), [1/Å⁴]
        Inverse variance; 0 where there is nothing.
    """

    q_per_A: Floats
    azimuth_rad: Floats
    power: Floats
    precision: Floats

    @property
    def step_per_A(self) -> float:
        """Width of a ring [1/Å]."""
        return float(self.q_per_A[1] - self.q_per_A[0])

    @cached_property
    def background(self) -> Floats:
        """Smooth spectra that do not ring, float64 array, (term, q), each with maximum 1; the last ones fall like signal."""
        radial = np.average(self.power, axis=0, weights=self.precision)
        noise = float(radial[-max(5, radial.size // 10) :].min())
        smooth = ndimage.gaussian_filter1d(radial, 0.08 / self.step_per_A, mode="nearest")
        signal = np.maximum(smooth - 0.9 * noise, 1e-3 * noise)
        place = np.linspace(-1, 1, radial.size)
        weight = np.sqrt(self.precision.sum(axis=0)) * smooth
        fitted = np.exp(chebyshev.chebval(place, chebyshev.chebfit(place, np.log(signal), 4, w=weight)))
        halos = [np.exp(-(((self.q_per_A - middle) / HALO_WIDTH_PER_A) ** 2) / 2) for middle in HALOS_PER_A]
        shapes = np.concatenate([chebyshev.chebvander(place, 3).T, halos])
        terms = np.concatenate([np.ones((1, radial.size)), shapes * fitted])
        return np.asarray(terms / np.abs(terms).max(axis=1, keepdims=True))

    @cached_property
    def envelope(self) -> Floats:
        """Smooth signal, float64 array, (q,), with maximum 1."""
        return np.asarray(self.background[1])


def polar_spectrum(tiles: Tiles) -> PolarSpectrum | None:
    """Average a power spectrum over rings and sectors.

    Parameters
    ----------
    tiles : Tiles

    Returns
    -------
    PolarSpectrum or None
        None where there are too few rings, or some without power.
    """
    q, azimuth = tiles.frequencies
    step = 1 / (tiles.side * tiles.pixel_size_A)
    used = tiles.off_axes & (q > LOWEST_PER_A) & (q < 1 / (2 * tiles.pixel_size_A))
    if not used.any():
        return None
    ring = np.floor(q[used] / step).astype(int)
    first, rings = int(ring.min()), int(ring.max()) + 1
    if rings - first < LEAST_RINGS:
        return None
    sector = np.minimum((azimuth[used] % np.pi / np.pi * SECTORS).astype(int), SECTORS - 1)
    power = tiles.power[used]
    kept = power < bragg_limit(tiles.independent) * ring_medians(power, ring, tiles.independent)[ring]
    place = (sector * rings + ring)[kept]
    count = np.bincount(place, minlength=SECTORS * rings).reshape(SECTORS, rings)[:, first:]
    total = np.bincount(place, power[kept], minlength=SECTORS * rings).reshape(SECTORS, rings)[:, first:]
    radial = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    if radial.min() < ROUNDING_A2:
        return None
    typical = ndimage.gaussian_filter1d(radial, 2, mode="nearest")
    return PolarSpectrum(
        np.asarray((np.arange(first, rings) + 0.5) * step, np.float64),
        (np.arange(SECTORS) + 0.5) * np.pi / SECTORS,
        np.divide(total, count, out=np.zeros_like(total), where=count > 0),
        count / 2 * tiles.independent / typical**2,  # ±q are one number
    )


class RingFit:
    """Linear fits of a power spectrum by noise, smooth signal, and rings.

    Behind a film of thickness t, the power of a phase object is ∝ sin²χ, averaged over the heights of its layers (Reimer & Kohl,
    *Transmission Electron Microscopy*, 5th ed. (2008), Ch. 6): 1 − sinc(λ t q²) cos 2χ times a smooth function. χ is
    :func:`hrtem_ood.physics.optics.aberrations.aberration_function`; in a sector, astigmatism is a change of the defocus.
    """

    def __init__(self, spectrum: PolarSpectrum, wavelength_A: float, c30_A: float) -> None:
        self.spectrum, self.wavelength_A = spectrum, wavelength_A
        unit, self.spherical = (
            aberration_function(
                spectrum.q_per_A, 0.0, wavelength_A=wavelength_A, defocus_A=defocus_A, aberrations={"C30": size}
            )
            for defocus_A, size in ((1.0, 0.0), (0.0, c30_A))
        )
        self.per_defocus = unit
        base, weight = spectrum.background, spectrum.precision
        self.normal = np.einsum("iq,jq,q->ij", base, base, weight.sum(axis=0))
        self.normal += np.eye(len(base)) * 1e-9 * np.trace(self.normal)
        self.projected = np.einsum("iq,sq,sq->i", base, weight, spectrum.power)
        self.coefficients = np.linalg.solve(self.normal, self.projected)
        self.chi2 = float((weight * (spectrum.power - self.coefficients @ base) ** 2).sum())
        self.numbers = int((weight > 0).sum())

    def rings(self, defocus_A: Floats, thickness_A: float) -> Floats:
        """Return sinc(λ t q²) cos 2χ times the envelope, averaged over the width of a ring, (…, q)."""
        q, step = self.spectrum.q_per_A, self.spectrum.step_per_A
        chi = self.spherical + defocus_A[..., None] * self.per_defocus
        turn = 2 * self.wavelength_A * np.abs(defocus_A)[..., None] * q * step
        blur = np.sinc(self.wavelength_A * thickness_A * q**2)
        return np.asarray(np.cos(2 * chi) * np.sinc(turn) * blur * self.spectrum.envelope)

    def sums(self, rings: Floats) -> Floats:
        """Return sums over q of rings (sector, n, q) times background, data, and themselves: (sector, n, term + 2)."""
        weight = self.spectrum.precision
        with_base = np.matmul(rings, (self.spectrum.background * weight[:, None, :]).transpose(0, 2, 1))
        with_data = np.matmul(rings, (weight * self.spectrum.power)[:, :, None])
        return np.concatenate([with_base, with_data, np.matmul(rings**2, weight[:, :, None])], axis=-1)

    def gain(self, sums: Floats) -> Floats:
        """Return the decrease of χ² by rings of the right sign, (…), from sums over sectors (…, term + 2)."""
        base, data, square = sums[..., :-2], sums[..., -2], sums[..., -1]
        solved = np.linalg.solve(self.normal, base.reshape(-1, base.shape[-1]).T).T.reshape(base.shape)
        residual = data - base @ self.coefficients
        variance = np.maximum(square - (base * solved).sum(axis=-1), 1e-9 * np.maximum(square, 1e-300))
        return np.asarray(np.where(residual < 0, residual**2 / variance, 0.0))

    def gain_at(self, parameters: Floats, thickness_A: float) -> float:
        """Return the decrease of χ² by rings of (Δf, C12 cos 2φ12, C12 sin 2φ12) [Å]."""
        defocus_A = parameters[0] - self.astigmatic(parameters[1:])
        return float(self.gain(self.sums(self.rings(defocus_A[:, None], thickness_A)).sum(axis=0))[0])

    def astigmatic(self, vector_A: Floats) -> Floats:
        """Return by how much astigmatism (…, 2) lowers the defocus in each sector (…, sector), in its mean [Å]."""
        azimuth = self.spectrum.azimuth_rad
        return np.asarray(np.sinc(1 / SECTORS) * (vector_A @ np.stack([np.cos(2 * azimuth), np.sin(2 * azimuth)])))


@dataclass(frozen=True)
class RingSearch:
    """Decrease of χ² by the best rings.

    Attributes
    ----------
    gain : float, [1]
    other : float, [1]
        By the best ones of another modulus of the defocus.
    parameters : float64 array, (3,), [Å]
        Δf, C12 cos 2φ12, C12 sin 2φ12.
    thickness_A : float, [Å]
    """

    gain: float
    other: float
    parameters: Floats
    thickness_A: float


def search(fit: RingFit, *, signed: bool) -> RingSearch:
    """Try defoci, astigmatisms and thicknesses on a grid.

    Parameters
    ----------
    fit : RingFit
    signed : bool
        Whether to try overfocus, too.

    Returns
    -------
    RingSearch
    """
    line = np.arange(-LARGEST_ASTIGMATISM_A, LARGEST_ASTIGMATISM_A + 1, ASTIGMATISM_STEP_A)
    vectors = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    vectors = vectors[np.hypot(*vectors.T) <= LARGEST_ASTIGMATISM_A]
    shift = np.rint(fit.astigmatic(vectors) / DEFOCUS_STEP_A).astype(int)  # (vector, sector)
    margin = int(np.abs(shift).max())
    most = int(LARGEST_DEFOCUS_A / DEFOCUS_STEP_A)
    places = np.arange(-most if signed else 0, most + 1)
    table_A = np.arange(places[0] - margin, places[-1] + margin + 1) * DEFOCUS_STEP_A
    best: RingSearch | None = None
    for thickness_A in THICKNESSES_A:
        rings = fit.rings(table_A, thickness_A)
        sums = fit.sums(np.broadcast_to(rings, (SECTORS, *rings.shape)))  # (sector, table, term + 2)
        column = (places - places[0] + margin)[:, None] - shift.T[:, None, :]  # (sector, place, vector)
        total = np.zeros((*column.shape[1:], sums.shape[-1]))
        for sector in range(SECTORS):
            total += sums[sector][column[sector]]
        gain = fit.gain(total)
        place, vector = np.unravel_index(int(gain.argmax()), gain.shape)
        if best is None or gain[place, vector] > best.gain:
            modulus = np.abs(places) * DEFOCUS_STEP_A
            other = _other_peak(gain.max(axis=1), np.abs(modulus - modulus[place]) > APART_A)
            parameters = np.array([places[place] * DEFOCUS_STEP_A, *vectors[vector]])
            best = RingSearch(float(gain[place, vector]), other, parameters, thickness_A)
    assert best is not None
    return best


def _other_peak(profile: Floats, apart: NDArray[np.bool_]) -> float:
    """Return the highest peak of a profile among those apart from the best; its slopes do not count."""
    padded = np.pad(profile, 1, constant_values=-1.0)
    peak = (profile >= padded[:-2]) & (profile >= padded[2:]) & apart
    return float(profile[peak].max()) if peak.any() else 0.0


def estimate_defocus(tiles: Tiles, energy_eV: float, c30_A: float = 0.0) -> Defocus:
    """Estimate defocus and two-fold astigmatism from the rings of the power spectrum.

    Parameters
    ----------
    tiles : Tiles
    energy_eV : float, [eV]
    c30_A : float, [Å]
        Spherical aberration.

    Returns
    -------
    Defocus
    """
    spectrum = polar_spectrum(tiles)
    if spectrum is None:
        return _unknown("the image is too small, or too smooth, to show rings in its power spectrum")
    fit = RingFit(spectrum, electron_wavelength_A(energy_eV), c30_A)
    best_rings = search(fit, signed=c30_A != 0)
    scale = max(1.0, (fit.chi2 - best_rings.gain) / max(fit.numbers - 8, 1))
    if best_rings.gain < SIGNIFICANT * scale:
        return _unknown("the power spectrum has no rings above its noise")
    if best_rings.other > DISTINCT * best_rings.gain:
        return _unknown("the rings of the power spectrum fit several defoci")
    best, deviations = _refined(fit, best_rings, scale)
    if abs(best[0]) < SMALLEST_DEFOCUS_A:
        return _unknown(f"the film is within {SMALLEST_DEFOCUS_A:g} Å of focus")
    if abs(best[0]) > LARGEST_DEFOCUS_A - APART_A:
        return _unknown(f"the defocus is {LARGEST_DEFOCUS_A:g} Å or more")
    size, azimuth = float(np.hypot(*best[1:])), float(np.arctan2(best[2], best[1])) / 2
    if best[0] < 0:
        azimuth = azimuth - math.copysign(np.pi / 2, azimuth)
    of_size = math.hypot(float(deviations[1:].max()), OF_MODEL_A)
    return Defocus(
        Estimate(abs(float(best[0])), math.hypot(float(deviations[0]), OF_MODEL_A)),
        Estimate(size, of_size),
        Estimate(azimuth, of_size / (2 * size))
        if size > 2 * of_size
        else Unknown("the astigmatism is too small to have a direction"),
    )


def _unknown(reason: str) -> Defocus:
    return Defocus(Unknown(reason), Unknown(reason), Unknown(reason))


def _refined(fit: RingFit, best_rings: RingSearch, scale: float) -> tuple[Floats, Floats]:
    """Refine the parameters of rings; return them and their standard deviations [Å], from the curvature of χ²."""

    def loss(parameters: Floats) -> float:
        return -fit.gain_at(parameters, best_rings.thickness_A) / scale

    start = best_rings.parameters
    simplex = np.vstack([start, start + np.diag([DEFOCUS_STEP_A, ASTIGMATISM_STEP_A, ASTIGMATISM_STEP_A])])
    best = optimize.minimize(
        loss, start, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 0.1, "fatol": 1e-3}
    ).x
    if np.abs(best - start).max() > 2 * ASTIGMATISM_STEP_A:  # another peak
        best = start
    here, step = loss(best), 4.0
    curvature = np.array(
        [(loss(best + step * unit) + loss(best - step * unit) - 2 * here) / step**2 for unit in np.eye(3)]
    )
    # Δχ² = 1 at one standard deviation
    return best, np.sqrt(2 / np.maximum(curvature, 2 / LARGEST_ASTIGMATISM_A**2))
