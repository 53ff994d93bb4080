"""A microscope under one condition: lens, coherence and detector, ready to form the images of a dataset."""

import math
from dataclasses import dataclass, field

import numpy as np

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.physics.imaging.detector import DetectorResponse
from hrtem_ood.physics.imaging.focal_integration import focal_nodes
from hrtem_ood.physics.imaging.intensity import image_intensity
from hrtem_ood.physics.imaging.lens import Lens
from hrtem_ood.physics.imaging.parameters import Imaging
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.condition import JITTER_FIELDS, POSITIVE, Condition
from hrtem_ood.physics.optics.fourier import crop_spectrum

LOWEST = -2.9
"""Lower limit of deviations of parameters that must stay positive [standard deviations]; 0.2 % lie below."""


def sample_condition(condition: Condition, series: str, structure: int) -> Condition:
    """Return the condition of one image: that of the dataset, with the jitter of every parameter.

    Parameters
    ----------
    condition : Condition
    series : str
        Id of the series of images.
    structure : int

    Returns
    -------
    Condition
        Without jitter; its defocus is still relative to the structure's zero defocus.
    """
    if not condition.jitter:
        return condition
    rng = np.random.default_rng(seed_sequence(series, structure, 0))
    deviations = rng.standard_normal(len(JITTER_FIELDS)).tolist()
    cut = [
        max(number, LOWEST) if name in POSITIVE else number
        for name, number in zip(JITTER_FIELDS, deviations, strict=True)
    ]
    return condition.with_jitter(cut)


@dataclass
class Microscope:
    """Forms images of one size.

    Attributes
    ----------
    imaging : Imaging
    size : int, [px]
        Side of the images.
    wavelength_A : float, [Å]
    band_per_A : float, [1/Å]
        Largest frequency that exit waves carry.
    am : ArrayModule
    response : DetectorResponse
        Of the detector.
    """

    imaging: Imaging
    size: int
    wavelength_A: float
    band_per_A: float
    am: ArrayModule
    response: DetectorResponse = field(init=False)
    _lens: Lens | None = None

    def __post_init__(self) -> None:
        pixel_size_A = self.imaging.pixel_size_A
        self.response = DetectorResponse.of(
            self.imaging.detector, size=self.size, pixel_size_A=pixel_size_A, am=self.am
        )

    @property
    def wave_size(self) -> int:
        """Side of the grid on which waves are squared [px]."""
        return self.size * self.imaging.oversampling

    @property
    def wave_pixel_A(self) -> float:
        """Pixel of that grid [Å]."""
        return self.imaging.pixel_size_A / self.imaging.oversampling

    def lens(self, condition: Condition) -> Lens:
        """Return the lens of a condition; the latest one is cached, for conditions that differ only in defocus or dose."""
        wanted = condition.model_copy(update={"defocus_A": 0.0, "dose_e_per_A2": 1.0})
        if self._lens is None or self._lens.condition != wanted:
            self._lens = Lens.of(
                wanted,
                size=self.wave_size,
                pixel_size_A=self.wave_pixel_A,
                wavelength_A=self.wavelength_A,
                am=self.am,
            )
        return self._lens

    def intensity(self, spectra: Array, condition: Condition, defocus_A: float) -> Array:
        """Intensity of the image of one structure.

        Parameters
        ----------
        spectra : complex64 array, (phonon, y, x), [1]
            Of the exit waves, on the grid of :attr:`wave_size`.
        condition : Condition
            Of this image.
        defocus_A : float, [Å]
            From the exit plane, positive for underfocus.

        Returns
        -------
        float32 array, (y, x), [1]
            Expected electrons per electron in, after the detector's damping.
        """
        deviations, weights = self._focus(condition)
        if len(weights) > 1:
            condition = condition.model_copy(update={"focal_spread_A": 0.0})
        lens, result = self.lens(condition), 0.0
        # on a finer grid, the detector acts after the intensity is brought to the image's
        detected = self.response.signal if self.wave_size == self.size else None
        for deviation, weight in zip(deviations.tolist(), weights.tolist(), strict=True):
            transfer = lens.transfer(defocus_A + deviation)
            result = result + np.float32(weight) * image_intensity(spectra, transfer, self.am, detected=detected)
        return result if self.wave_size == self.size else self._on_image_grid(result)

    def _on_image_grid(self, intensity: Array) -> Array:
        """Leave out the frequencies of an intensity that the image's pixels do not carry, and damp the others."""
        fft = self.am.fft
        spectrum = crop_spectrum(fft.fft2(intensity), (self.size, self.size), self.am.xp)
        if self.response.signal is not None:
            spectrum = spectrum * self.response.signal
        # beside sharp edges, what is left may be below zero
        return self.am.xp.maximum(fft.ifft2(spectrum).real, 0)

    def _focus(self, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
        if self.imaging.temporal_coherence == "envelope" or not condition.focal_spread_A:
            return np.zeros(1), np.ones(1)
        reach = [self.band_per_A, math.sqrt(0.5) / self.wave_pixel_A]
        if condition.aperture_mrad is not None:
            reach.append(condition.aperture_mrad * 1e-3 / self.wavelength_A)
        return focal_nodes(condition.focal_spread_A, self.wavelength_A, min(reach))
