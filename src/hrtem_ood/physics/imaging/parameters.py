"""Settings of imaging, detector and labels; the sections `imaging` and `labels` of a configuration."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hrtem_ood.base_model import Model

LARGEST_COUNT = 2**32 - 1
"""Largest count of a pixel: images are stored as unsigned integers of 32 bits at most."""


class Labels(Model):
    """How label masks follow from the exit wave of the particles alone in vacuum."""

    phase_threshold_rad: Annotated[float, Field(ge=1e-3, lt=3.1416)] = Field(
        0.19634954084936207, description="Phase that picks a particle's atomic columns [rad] (π/16)."
    )
    blur_A: Annotated[float, Field(ge=0, le=20)] = Field(
        1.5,
        description="Standard deviation of the Gaussian blur of the columns' mask [Å]; closes the gaps between columns.",
    )
    mask_threshold: Annotated[float, Field(ge=1e-3, le=0.999)] = Field(
        0.06, description="A pixel is labelled particle where the blurred mask of the columns exceeds this share."
    )


MOST_CURVE_VALUES, LEAST_SHARE = 4096, 1e-4
"""Largest number of values of a detector's curve, and the smallest value, by which noise is divided."""


def _shares(values: tuple[float, ...]) -> tuple[float, ...]:
    if not 2 <= len(values) <= MOST_CURVE_VALUES or not all(LEAST_SHARE <= value <= 1 for value in values):
        raise ValueError(f"needs two values or more, at most {MOST_CURVE_VALUES}, each from {LEAST_SHARE:g} to 1")
    return values


Curve = Annotated[tuple[float, ...], AfterValidator(_shares)]


class Detector(Model):
    """Response of the detector; curves are measured values, with linear interpolation between them."""

    mtf: Curve | None = Field(
        None,
        description="Modulation transfer function at equal steps from frequency 0, where it is 1, to the Nyquist frequency "
        "of the image's pixel. Left out: 1 throughout.",
    )
    dqe: Curve | None = Field(
        None,
        description="Detective quantum efficiency at equal steps from frequency 0 to the Nyquist frequency. Left out: every "
        "electron counts and noise stays white, a DQE of MTF².",
    )
    apply_pixel_mtf: bool = Field(
        False, description="true: multiply the MTF by that of a square pixel, which a measured MTF holds already."
    )
    gain: Annotated[float, Field(ge=1e-3, le=1e4)] = Field(1.0, description="Stored number per electron; then rounded.")

    @model_validator(mode="after")
    def _unit_at_zero(self) -> Self:
        if self.mtf is not None and self.mtf[0] != 1:
            raise ValueError("`mtf` begins with 1, its value at frequency 0; electrons that are lost belong to `dqe`")
        return self

    @property
    def counts_electrons(self) -> bool:
        """Whether images are whole electron counts, with Poisson noise pixel by pixel."""
        return self.dqe is None and self.gain == 1


class Imaging(Model):
    """How images are sampled."""

    pixel_size_A: Annotated[float, Field(ge=0.02, le=2)] = Field(
        description="Pixel of the images [Å]; must divide the cell. Waves are cut off at its Nyquist frequency before they are "
        "squared, as by an aperture, unless `oversampling` is above 1."
    )
    oversampling: Annotated[int, Field(ge=1, le=8)] = Field(
        1,
        description="Squares waves on pixels that are smaller by this factor, and leaves out the frequencies of the intensity "
        "above the Nyquist frequency of `pixel_size_A` afterwards. 1: waves are cut off before they are squared, as by an "
        "aperture, which darkens strong scatterers. 2 or more: as a micrograph of small pixels that is resampled to larger "
        "ones, as `predict` does.",
    )
    store_noise_free: bool = Field(
        False,
        description="Store the noise-free images, too: what `resample_noise: true` draws from. Four bytes a pixel, "
        "several times the size of the counts. Not with a detector that has a DQE or a gain, whose noise is not Poisson's.",
    )
    temporal_coherence: Literal["envelope", "focal_integration"] = Field(
        "envelope",
        description="How a focal spread acts: `envelope` damps the wave, which is fast, and puts images off by some 6 % of their "
        "standard deviation at 20 Å, by more above (docs/methods.md, Limits); `focal_integration` averages "
        "the intensities over the focus, at the cost of some 5 to 100 images.",
    )
    detector: Detector | None = Field(
        None,
        description="Left out: every electron is counted in the pixel where it lands.",
    )

    @field_validator("detector")
    @classmethod
    def _drop_ideal(cls, detector: Detector | None) -> Detector | None:
        """Take a detector at all its defaults for none: the images are the same, so their ids must be."""
        return None if detector == Detector() else detector
