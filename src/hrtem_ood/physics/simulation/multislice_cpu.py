"""The multislice on a CPU: the arithmetic of `potential` and `multislice`, ordered for a core's cache.

A two-dimensional transform is one along x and one along y. The inverse transform behind a slice and the transform before
the next one meet at the same rows, and so do the transforms along y on both sides of the propagator: each pair runs on
blocks of rows that stay in the cache, with the multiplication between them. In the transforms along y, only frequencies
along x below the band limit take part, two thirds of all.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.row_fft import ROWS, RowFFT, aligned_rows
from hrtem_ood.physics.simulation import cpu_kernels
from hrtem_ood.physics.simulation.multislice import band_limit_index, propagator
from hrtem_ood.physics.simulation.potential import BETA, WIDTH, Slice


class FusedMultislice:
    """Buffers and plans for waves of one size; see :func:`~hrtem_ood.physics.simulation.multislice.multislice`.

    Parameters
    ----------
    size : int
        Grid points along x and y.
    side_A, wavelength_A : float, [Å]
    """

    def __init__(self, size: int, side_A: float, wavelength_A: float) -> None:
        self.size, self.side_A, self.wavelength_A = size, side_A, wavelength_A
        self.tail = band_limit_index(size)  # kept frequencies along x: 0 … tail, −tail … −1
        self.head, self.half = self.tail + 1, size // 2 + 1
        self.wave = aligned_rows(self.head + self.tail, size, np.complex64)
        self.potential = aligned_rows(self.half, size, np.complex64)
        self.spectra: list[np.ndarray] = []  # of species along x
        self.grid = aligned_rows(size, size, np.float32)
        self.blocks = [aligned_rows(ROWS, size, np.complex64) for _ in range(2)]
        self.half_block = aligned_rows(ROWS, self.half, np.complex64)
        self.phase = aligned_rows(ROWS, size, np.float32)
        self.forward = RowFFT(size, *self.blocks, forward=True)
        self.backward = RowFFT(size, *self.blocks, forward=False)
        self.from_real = RowFFT(size, self.grid, self.half_block, forward=True)
        self.to_real = RowFFT(size, self.half_block, self.phase, forward=False)
        self.spaces: dict[float, NDArray[np.complex64]] = {}

    def __call__(self, slices: Iterable[Slice], factors: dict[int, np.ndarray]) -> NDArray[np.complex64]:
        """Send a plane wave through slices.

        Parameters
        ----------
        slices : iterable of Slice
        factors : dict of int to float32 array, (ky, kx), [rad]
            By atomic number; see :func:`~hrtem_ood.physics.simulation.potential.form_factors`.

        Returns
        -------
        complex64 array, (qy, qx), [1]
            Spectrum of the exit wave, not shifted, not normalised.
        """
        transposed = {number: np.ascontiguousarray(factor.T) for number, factor in factors.items()}
        self.wave[:] = 0
        self.wave[0] = self.size  # the transform of 1 along x
        for each in slices:
            self._project(each, transposed)
            self._transmit()
            self._propagate(each.distance_A)
        spectrum = np.zeros((self.size, self.size), np.complex64)
        for first in range(0, len(self.wave), ROWS):
            self.forward(self.wave[first : first + ROWS], self.blocks[0])
            for row in range(first, min(first + ROWS, self.head + self.tail)):
                spectrum[row if row < self.head else row - self.head - self.tail] = self.blocks[0][
                    row - first, : self.size
                ]
        return spectrum.T

    def _project(self, each: Slice, factors: dict[int, np.ndarray]) -> None:
        """Fill ``potential``, (kx, y), with the spectrum along x of a slice's phase."""
        while len(self.spectra) < len(each.species):
            self.spectra.append(aligned_rows(self.half, self.size, np.complex64))
        for (_, pixels), spectrum in zip(each.species, self.spectra, strict=False):
            self._spread(pixels, spectrum)
        source, total = self.blocks
        for first in range(0, self.half, ROWS):
            block = slice(first, first + ROWS)
            for place, (number, _) in enumerate(each.species):
                self.forward(self.spectra[place][block], source)
                cpu_kernels.accumulate(total, source, factors[number][block], place == 0)
            self.backward(total, self.potential[block])

    def _spread(self, pixels: NDArray[np.float64], spectrum: np.ndarray) -> None:
        """Spread atoms, and transform the blocks that have any along x."""
        low = np.ceil(pixels[:, 1] - WIDTH / 2).astype(int)
        touched = np.unique((low[:, None] + np.arange(WIDTH)) % self.size // ROWS)
        cpu_kernels.scatter_atoms(self.grid, self.size, pixels, WIDTH, BETA)
        if len(touched) * ROWS < self.size:
            spectrum[:] = 0
        for first in touched * ROWS:
            block = self.grid[first : first + ROWS]
            self.from_real(block, self.half_block)
            block[:] = 0
            cpu_kernels.store_transposed(
                self.half_block, spectrum, first, min(ROWS, self.size - first), self.half, self.half, 0
            )

    def _transmit(self) -> None:
        """Multiply the wave by exp(i phase), block by block of rows."""
        spectrum, real = self.blocks
        for first in range(0, self.size, ROWS):
            rows = min(ROWS, self.size - first)
            cpu_kernels.load_transposed(self.potential, self.half_block, first, rows, self.half, self.half, 0)
            self.to_real(self.half_block, self.phase)
            cpu_kernels.load_transposed(self.wave, spectrum, first, rows, self.size, self.head, self.tail)
            self.backward(spectrum, real)
            cpu_kernels.transmit(real, self.phase, self.size)
            self.forward(real, spectrum)
            cpu_kernels.store_transposed(spectrum, self.wave, first, rows, self.size, self.head, self.tail)

    def _propagate(self, distance_A: float) -> None:
        """Multiply the wave's spectrum by the propagator, block by block of frequencies along x."""
        space = self._space(distance_A)
        spectrum = self.blocks[0]
        for first in range(0, len(space), ROWS):
            block = self.wave[first : first + ROWS]
            self.forward(block, spectrum)
            cpu_kernels.multiply(spectrum, space[first : first + ROWS], self.head, self.tail)
            self.backward(spectrum, block)

    def _space(self, distance_A: float) -> NDArray[np.complex64]:
        """Propagator, (qx, qy), over the transforms' normalisation."""
        if distance_A not in self.spaces:
            if len(self.spaces) > 1:  # the usual distance, and the one to the top of the cell
                self.spaces.pop(list(self.spaces)[-1])
            free = propagator(self.size, self.side_A, self.wavelength_A, distance_A)
            passed = np.concatenate([free[: self.head], free[self.size - self.tail :]])
            self.spaces[distance_A] = (passed / self.size**2).astype(np.complex64)
        return self.spaces[distance_A]
