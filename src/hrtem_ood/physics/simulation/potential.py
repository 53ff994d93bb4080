"""Projected potentials of slices: atoms spread onto the grid, with their form factors, by a non-uniform FFT.

The phase that a slice gives the wave is the Fourier series

    σ v(r) = σ/A Σ_k Σ_s f_s(|k|) F_s(k) exp(2πi k·r),    F_s(k) = Σ_a exp(−2πi k·r_a)

over the frequencies of the grid, with A the area of the cell, f_s the projected scattering factor of species s, and
F_s the structure factor of its atoms in the slice. F_s comes from spreading each atom onto its neighbouring grid points
with a kernel φ, an FFT, and division by φ's Fourier transform (Barnett, Magland & af Klinteberg, SIAM J. Sci. Comput.
41 (2019) C479, Sec. 2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
from abtem.core.energy import energy2sigma
from abtem.parametrizations import validate_parametrization
from ase import Atoms
from ase.data import chemical_symbols
from numpy.typing import NDArray

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.aberrations import Array

WIDTH = 6
"""Grid points along each axis that an atom is spread over."""

BETA = 2.03 * WIDTH
"""Shape of the kernel: Barnett et al. (2019), Eq. 4.5, γ π w (1 − 1/2ς) with γ = 0.97 and ς = 3/2, as the frequencies
that matter fill 2/3 of the grid. Their aliases lie above 2/3 of the sampling frequency."""

FACE_A = 1e-6
"""Largest distance of atoms outside the cell that counts as rounding of positions in files [Å]."""


@dataclass(frozen=True)
class Slice:
    """Atoms that act on the wave at one depth.

    Attributes
    ----------
    species : tuple of (int, float64 array (atom, 2), [px])
        Atomic number, and positions (x, y) in grid points, wrapped into the cell.
    distance_A : float, [Å]
        From here to the next slice that holds atoms, or to the top of the cell: negative where this slice is above it.
    """

    species: tuple[tuple[int, NDArray[np.float64]], ...]
    distance_A: float


def slice_indices(atoms: Atoms, thickness_A: float) -> tuple[NDArray[np.int64], int, float]:
    """Return the slice of each atom's nucleus.

    The cell is not periodic along the beam. Atoms that thermal displacements have pushed below the cell are in slices of
    negative index, those above it in slices that continue upwards; those on a slice's lower face are in that slice, and
    those on the top face of the cell in the last slice of the cell.

    Parameters
    ----------
    atoms : ase.Atoms
    thickness_A : float, [Å]
        The height is divided into the smallest number of equal slices that are no thicker.

    Returns
    -------
    index : int array, (atom,)
    number : int
        Of slices between the bottom and the top of the cell.
    thickness_A : float, [Å]
        Of each.
    """
    height = float(atoms.cell.lengths()[2])
    number = int(np.ceil(height / thickness_A))
    thickness = height / number
    depth = atoms.positions[:, 2]
    index = np.floor(depth / thickness + 1e-9).astype(int)
    index[(index == -1) & (depth >= -FACE_A)] = 0
    index[(index == number) & (depth <= height + FACE_A)] = number - 1
    return index, number, thickness


def slice_atoms(
    atoms: Atoms, thickness_A: float, size: int, kinds: NDArray[np.integer[Any]] | None = None
) -> list[Slice]:
    """Cut a scene into slices: every atom belongs wholly to the slice of its nucleus, and acts in its middle.

    Slices without atoms become free space between others. Because atoms act in the middle, the error of slices of finite
    thickness is of second order; at the slice's entrance, all would act half a slice too early.

    Slices outside the cell are treated like those inside: a plane wave reaches those below unchanged, and behind those
    above the wave is propagated back through free space to the top of the cell, the reference of all defocus.

    Parameters
    ----------
    atoms : ase.Atoms
        The beam enters at z = 0; the cell is periodic across the beam.
    thickness_A : float, [Å]
        See :func:`slice_indices`.
    size : int
        Grid points along x and y.
    kinds : int array, (atom,), optional
        What tells species apart, below 512; by default atomic numbers.

    Returns
    -------
    list of Slice
        From the entrance to the top; none without atoms.
    """
    index, number, thickness = slice_indices(atoms, thickness_A)
    pixels = atoms.positions[:, :2] / (float(atoms.cell.lengths()[0]) / size) % size
    # by slice and species, and as before among those of one species: the order in which they are added up
    kinds = atoms.numbers if kinds is None else kinds
    keys = (index - index.min(initial=0)) * 512 + kinds
    order = np.argsort(
        keys.astype(np.uint16) if keys.max(initial=0) < 2**16 else keys, kind="stable"
    )  # short keys: linear
    index, kinds, pixels = (np.take(each, order, axis=0) for each in (index, kinds, pixels))
    begins = np.flatnonzero(np.diff(index, prepend=index[:1] - 1) | np.diff(kinds, prepend=-1))
    parts: dict[int, list[tuple[int, NDArray[np.float64]]]] = {}
    for begin, end in pairwise([*begins, len(index)]):
        parts.setdefault(int(index[begin]), []).append((int(kinds[begin]), pixels[begin:end]))
    occupied = np.array(list(parts), float)
    ends = np.append(occupied, number - 0.5)[1:]
    return [
        Slice(tuple(species), float((end - start) * thickness))
        for species, start, end in zip(parts.values(), occupied, ends, strict=True)
    ]


@lru_cache(maxsize=8)
def form_factors(number: int, size: int, side_A: float, energy_eV: float, parametrization: str) -> NDArray[np.float32]:
    """Phase per structure factor of a species, on the half spectrum of a real grid.

    Parameters
    ----------
    number : int
        Atomic number.
    size : int
        Grid points along x and y.
    side_A : float, [Å]
        Side of the cell.
    energy_eV : float, [eV]
    parametrization : str
        One of abTEM's.

    Returns
    -------
    float32 array, (ky, kx), [rad]
        σ f(|k|) / A, with f [V Å³] the projected scattering factor, up to the corners of the spectrum, and divided by the
        transform of the spreading kernel.

    Raises
    ------
    ConfigError
        If the parametrisation lacks the element.
    """
    potentials, symbol = validate_parametrization(parametrization), chemical_symbols[number]
    if symbol not in potentials.parameters:
        raise ConfigError(
            f"simulation.parametrization: `{parametrization}` lacks the element {symbol}; "
            f"valid are {', '.join(potentials.parameters)}."
        )
    index = np.arange(size // 2 + 1, dtype=np.float64)
    quadrant = potentials.projected_scattering_factor(symbol)((index[:, None] ** 2 + index**2) / side_A**2)  # type: ignore[misc]  # wrongly typed there
    kernel = kernel_transform(index, size)
    quadrant *= energy2sigma(energy_eV) / side_A**2 / (kernel[:, None] * kernel)
    return np.asarray(quadrant[np.minimum(np.arange(size), size - np.arange(size))], np.float32)


def kernel_transform(index: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Fourier transform of the spreading kernel at integer frequencies of the grid, by Gauss–Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(64)
    kernel = np.exp(BETA * (np.sqrt(1 - nodes**2) - 1))
    return WIDTH / 2 * np.cos(np.pi * WIDTH / size * index[:, None] * nodes) @ (weights * kernel)


def kernel_matrix(pixels: Array, size: int, xp: ModuleType) -> Array:
    """Kernel of each atom along one axis, φ(u) = exp(β (√(1 − (2u/w)²) − 1)) for |u| < w/2 (Barnett et al. (2019), Eq. 1.8).

    Parameters
    ----------
    pixels : float64 array, (atom,), [px]
    size : int
    xp : module

    Returns
    -------
    float32 array, (atom, size), [1]
    """
    grid = xp.arange(size, dtype=xp.float64)
    apart = xp.remainder(grid[None, :] - pixels[:, None] + size / 2, float(size)) - size / 2
    inside = 1 - (apart * (2 / WIDTH)) ** 2
    root = xp.sqrt(xp.where(inside > 0, inside, xp.zeros_like(inside)))
    kernel = xp.exp(BETA * (root - 1))
    return xp.asarray(xp.where(inside > 0, kernel, xp.zeros_like(kernel)), dtype=xp.float32)


def slice_phases(
    slices: Iterable[Slice], factors: dict[int, Array], size: int, am: ArrayModule
) -> Iterable[tuple[Array, float]]:
    """Yield the phase σ v of each slice and the distance behind it: the plain form, for any array module.

    An atom's kernel is the product of one along y and one along x, so that the sum over a species' atoms is a product of
    matrices: more arithmetic than the kernel's few points need, but GPUs are fast at it, and the order of the sums is fixed,
    unlike that of atomic additions.

    Parameters
    ----------
    slices : iterable of Slice
    factors : dict of int to float32 array, (ky, kx), [rad]
        By atomic number; see :func:`form_factors`.
    size : int
    am : ArrayModule

    Yields
    ------
    float32 array, (y, x), [rad]
    float, [Å]
    """
    xp = am.xp
    for each in slices:
        spectrum = None
        for number, pixels in each.species:
            along_x, along_y = (kernel_matrix(xp.asarray(pixels[:, axis]), size, xp) for axis in (0, 1))
            spread = xp.matmul(xp.permute_dims(along_y, (1, 0)), along_x)
            term = am.fft.rfftn(spread, axes=(0, 1)) * factors[number]
            spectrum = term if spectrum is None else spectrum + term
        # factors have no 1/size², which this inverse transform introduces
        yield am.fft.irfftn(spectrum, s=(size, size), axes=(0, 1)) * float(size**2), each.distance_A
