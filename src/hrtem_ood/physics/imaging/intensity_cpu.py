"""Image intensities on a CPU: the arithmetic of `intensity`, ordered for a core's cache.

A two-dimensional transform is one along x and one along y. Blocks of rows go through the multiplication by the lens and
the transform along x while they are in the cache, and later through the transform along y and the squares.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.imaging import cpu_kernels
from hrtem_ood.physics.row_fft import ROWS, RowFFT, aligned_rows


class CpuImageFormer:
    """Buffers and a plan for images of one size; see :func:`~hrtem_ood.physics.imaging.intensity.image_intensity`.

    Parameters
    ----------
    size : int, [px]
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.lensed, self.along = (aligned_rows(ROWS, size, np.complex64) for _ in range(2))
        self.transposed = aligned_rows(size, size, np.complex64)  # (x, qy)
        self.backward = RowFFT(size, self.lensed, self.along, forward=False)

    def __call__(self, spectra: NDArray[np.complex64], transfer: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return the intensity, (y, x), of spectra, (phonon, y, x), under a contrast transfer, (y, x)."""
        size = self.size
        total, result = np.zeros((size, size), np.float32), np.empty((size, size), np.float32)
        for spectrum in spectra:
            for first in range(0, size, ROWS):
                rows = min(ROWS, size - first)
                block = slice(first, first + rows)
                np.multiply(spectrum[block], transfer[block], out=self.lensed[:rows, :size])
                self.backward(self.lensed, self.along)
                cpu_kernels.transpose_block(self.along, self.transposed[:size], first, rows)
            for first in range(0, size, ROWS):
                self.backward(self.transposed[first : first + ROWS], self.along)
                cpu_kernels.add_squares(total[first : first + ROWS], self.along)
        # the transforms are not normalised
        cpu_kernels.store_scaled_transpose(total, np.float32(1 / (len(spectra) * float(size) ** 4)), result)
        return result


@lru_cache(maxsize=2)
def form_on_cpu(size: int) -> CpuImageFormer:
    """Return the buffers for images of a size; the latest ones are cached."""
    return CpuImageFormer(size)
