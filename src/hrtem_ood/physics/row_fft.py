"""Fourier transforms of blocks of rows on a CPU: FFTW, planned without timing.

FFTW usually plans by timing. Then the same wave differs in its last digits from one run to the next, and Poisson noise
drawn from it sometimes differs completely. Besides, every process plans again, or files of plans are kept. Planning without
timing (FFTW_ESTIMATE) avoids both. It costs half the speed for transforms with strides or in place, but very little for
those used here: contiguous rows, from one buffer into another.
"""

import numpy as np
import pyfftw

ROWS = 32
"""Rows of a block: with 1280 columns, its buffers fill a core's second-level cache."""

ALIGNMENT = 64


def aligned_rows(rows: int, columns: int, dtype: type) -> np.ndarray:
    """Allocate zeros of full blocks of rows, each of which begins at an aligned address.

    Returns
    -------
    array, (rows rounded up to blocks, columns rounded up)
        Rows of an odd number of cache lines: of an even one, columns would compete for the same few places in the cache.
    """
    line = ALIGNMENT // np.dtype(dtype).itemsize
    lines = -(-columns // line) | 1
    return pyfftw.zeros_aligned((-(-rows // ROWS) * ROWS, lines * line), dtype, n=ALIGNMENT)  # type: ignore[no-any-return]


class RowFFT:
    """A transform of the rows of one block into another, not normalised.

    Parameters
    ----------
    size : int
        Points of a row: of the real one, where one is real and the other its half spectrum.
    source, target : array, (row, column)
        Blocks of :func:`aligned_rows`; calls may use other ones.
    forward : bool
    """

    def __init__(self, size: int, source: np.ndarray, target: np.ndarray, *, forward: bool) -> None:
        real = {source.dtype, target.dtype} == {np.dtype(np.float32), np.dtype(np.complex64)}
        self.widths = [size // 2 + 1 if real and array.dtype == np.complex64 else size for array in (source, target)]
        wisdom = pyfftw.export_wisdom()
        pyfftw.forget_wisdom()  # otherwise FFTW would use plans that other code in this process has timed
        try:
            self.plan = pyfftw.FFTW(
                source[:ROWS, : self.widths[0]],
                target[:ROWS, : self.widths[1]],
                axes=(1,),
                direction="FFTW_FORWARD" if forward else "FFTW_BACKWARD",
                flags=("FFTW_ESTIMATE", "FFTW_DESTROY_INPUT"),
                threads=1,
            )
        finally:
            pyfftw.import_wisdom(wisdom)

    def __call__(self, source: np.ndarray, target: np.ndarray) -> None:
        """Transform the rows of ``source``, which may be overwritten, into ``target``."""
        self.plan.update_arrays(source[:, : self.widths[0]], target[:, : self.widths[1]])
        self.plan.execute()
