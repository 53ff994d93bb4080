"""Response of a detector: transfer of signal and of noise."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.imaging.parameters import LARGEST_COUNT, Detector
from hrtem_ood.physics.imaging.poisson import poisson_counts
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.detector_curves import interpolate_detector_curve
from hrtem_ood.physics.optics.fourier import polar_frequencies

COUNTS = (np.uint8, np.uint16, np.uint32)


@dataclass(frozen=True)
class DetectorResponse:
    """Response of a detector on an image's grid.

    With the detective quantum efficiency DQE(q) and the modulation transfer MTF(q), electrons of mean D arrive; the
    part DQE(0) of them is counted, the signal damped by s(q) = √[DQE(q)/DQE(0)] beforehand, and the counts, whose noise
    is white, are filtered by g(q) = MTF(q) / √[DQE(q) DQE(0)]. Signal then appears with MTF(q), the power of noise is
    D MTF²/DQE, and the ratio of both, against that of the electrons, is DQE(q) at every frequency. This is the model
    of Vulović et al., J. Struct. Biol. 183 (2013) 19, which damps by √DQE and filters by MTF/√DQE, with DQE(0) as a
    loss of electrons. Without a DQE, s = MTF and g = 1: noise stays white and counts are whole numbers.

    Attributes
    ----------
    signal : float32 array, (y, x), [1], or None
        s(q); None where it is 1 throughout.
    filter : float64 array, (y, x // 2 + 1), [1], or None
        g(q), for counts; on the host, like them.
    counted : float, [1]
        Part of the electrons that is counted.
    gain : float, [1]
        Stored number per electron.
    """

    signal: Array | None
    filter: np.ndarray | None
    counted: float
    gain: float

    @classmethod
    def of(cls, detector: Detector | None, *, size: int, pixel_size_A: float, am: ArrayModule) -> Self:
        """Compute the response for square images.

        Parameters
        ----------
        detector : Detector or None
            None: every electron is counted in the pixel where it lands.
        size : int, [px]
        pixel_size_A : float, [Å]
        am : ArrayModule
        """
        if detector is None:
            return cls(None, None, 1.0, 1.0)
        q = polar_frequencies((size, size), pixel_size_A)[0] * 2 * pixel_size_A  # in units of the Nyquist frequency
        mtf = interpolate_detector_curve(detector.mtf, q)
        if detector.apply_pixel_mtf:
            line = np.sinc(np.fft.fftfreq(size))
            mtf = mtf * line[:, None] * line[None, :]
        counted, signal, after = 1.0, mtf, None
        if detector.dqe is not None:
            dqe, counted = interpolate_detector_curve(detector.dqe, q), detector.dqe[0]
            signal = np.sqrt(dqe / counted)
            after = (mtf / np.sqrt(dqe * counted))[:, : size // 2 + 1]
        flat = bool((signal == 1).all())
        return cls(None if flat else am.xp.asarray(signal.astype(np.float32)), after, counted, detector.gain)

    def detect(
        self, intensity: np.ndarray, *, dose_e_per_A2: float, pixel_size_A: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Draw a detected image from the intensity at the detector.

        Parameters
        ----------
        intensity : float array, (y, x), [1]
            Expected electrons out per electron in, damped by :attr:`signal`, on the host, where counts are drawn from the
            same random numbers on every device.
        dose_e_per_A2 : float, [e/Å²]
        pixel_size_A : float, [Å]
        rng : numpy.random.Generator

        Returns
        -------
        uint8, uint16 or uint32 array, (y, x)
            Poisson counts with mean ``intensity * dose_e_per_A2 * pixel_size_A**2`` [e/px]; with a DQE or a gain, the
            detector's numbers, rounded, none below zero.
        """
        scale = dose_e_per_A2 * pixel_size_A**2 * self.counted
        # damping may give negative values by rounding, or beside sharp edges
        means = np.maximum(intensity.astype(np.float64) * scale, 0)
        counts: np.ndarray = poisson_counts(means, rng)
        if self.filter is None and self.gain == 1:
            return smallest_unsigned(counts)
        numbers = counts.astype(np.float64)
        if self.filter is not None:
            numbers = np.fft.irfft2(np.fft.rfft2(numbers) * self.filter, s=numbers.shape)
        return smallest_unsigned(np.maximum(np.rint(numbers * self.gain), 0))


def smallest_unsigned(counts: np.ndarray) -> np.ndarray:
    """Convert counts to the smallest of uint8, uint16 and uint32 that holds them.

    Raises
    ------
    ConfigError
        If none holds them.
    """
    most = int(counts.max(initial=0))
    fitting = [dtype for dtype in COUNTS if most <= np.iinfo(dtype).max]
    if not fitting:
        raise ConfigError(
            f"conditions, dose_e_per_A2: a pixel has {most:.3g}, more than the {LARGEST_COUNT:,} that are stored; "
            "use a lower dose, smaller pixels or a lower gain."
        )
    return counts.astype(fitting[0])
