"""Augmentations of training images by name: what micrographs have and simulated images lack."""

from typing import Annotated

from pydantic import Field

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.base_model import AS_PAIR, ASCENDING, SINGLE_ITEM, Model, identity_parameters

Share = Annotated[float, Field(gt=0, le=1)]
AreaContrast = Annotated[float, Field(ge=0, le=3)]
AreaContrastRange = Annotated[tuple[AreaContrast, AreaContrast], AS_PAIR, ASCENDING, SINGLE_ITEM]

Frequency = Annotated[float, Field(gt=0, le=0.5)]
FrequencyRange = Annotated[tuple[Frequency, Frequency], AS_PAIR, ASCENDING, SINGLE_ITEM]
Width = Annotated[float, Field(gt=0, le=5)]
WidthRange = Annotated[tuple[Width, Width], AS_PAIR, ASCENDING, SINGLE_ITEM]


class _Augmentation(Model):
    share: Share = Field(0.5, description="Share of the images that get it, drawn anew every epoch.")


class Scale(_Augmentation):
    """Pixels of another size: the image is shifted, periodically, and resampled without aliases."""

    range: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.2, description="Objects become larger by a factor that is uniform in [1 − range, 1 + range]."
    )


class Film(_Augmentation):
    """Texture of more amorphous film: Gaussian noise of a ring of frequencies."""

    amplitude: Annotated[float, Field(gt=0, le=10)] = Field(
        1.0, description="Largest standard deviation, in those of the image; uniform from 0."
    )
    frequency_per_px: FrequencyRange = Field(
        (0.08, 0.35), description="Frequency of the ring [1/px]; uniform in [min, max]."
    )
    width: WidthRange = Field(
        (0.2, 0.6),
        description="Standard deviation of the ring's Gaussian profile, relative to its frequency; uniform in [min, max].",
    )


class Blur(_Augmentation):
    """A Gaussian over signal and noise alike, as of a camera or of an image that was resampled."""

    sigma_px: Annotated[float, Field(gt=0, le=5)] = Field(
        0.8, description="Largest standard deviation [px]; uniform from 0."
    )


class LargeAreas(_Augmentation):
    """Another contrast of large areas: particles differ from the film in brightness more, less or not at all."""

    factor: AreaContrastRange = Field(
        (0.0, 1.0), description="Factor of frequencies well below 1/`period_px`; uniform in [min, max]."
    )
    period_px: Annotated[float, Field(ge=4, le=500)] = Field(
        20.0, description="The factor is halfway to 1, in its effect, at about this period [px]."
    )


class Gamma(_Augmentation):
    """A power of the relative intensity."""

    range: Annotated[float, Field(gt=0, le=2)] = Field(
        0.3, description="The exponent is between 1/(1 + range) and 1 + range; its logarithm is uniform."
    )


class GainField(_Augmentation):
    """A smooth factor, of second order in both directions: illumination, vignetting."""

    amplitude: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Largest deviation of the factor from 1; uniform from 0."
    )


class BrightnessField(_Augmentation):
    """A smooth summand, of second order in both directions."""

    amplitude: Annotated[float, Field(gt=0, le=20)] = Field(
        0.5, description="Largest summand, in standard deviations of the image; uniform from 0."
    )


class Spikes(_Augmentation):
    """Single bright pixels, as of X-rays."""

    most: Annotated[int, Field(ge=1, le=1000)] = Field(5, description="Largest number per image; uniform from 1.")
    height: Annotated[float, Field(gt=0, le=1000)] = Field(
        5.0, description="Largest height, in means of the image; uniform from 0."
    )


class DeadLines(_Augmentation):
    """Rows or columns of zeros."""

    most: Annotated[int, Field(ge=1, le=100)] = Field(2, description="Largest number per image; uniform from 1.")


class Augmentations(Model):
    """Augmentations by name, in the order in which they act; a name that is not written is not applied.

    Names stand for mappings of parameters: `blur: {}` has the default ones.
    """

    scale: Scale | None = Field(None, description="Another pixel size.")
    film: Film | None = Field(None, description="Texture of more film.")
    blur: Blur | None = Field(None, description="A Gaussian blur.")
    large_areas: LargeAreas | None = Field(None, description="Another contrast of large areas.")
    gamma: Gamma | None = Field(None, description="A power of the intensity.")
    gain: GainField | None = Field(None, description="A smooth factor.")
    brightness: BrightnessField | None = Field(None, description="A smooth summand.")
    spikes: Spikes | None = Field(None, description="Bright pixels.")
    dead_lines: DeadLines | None = Field(None, description="Rows and columns of zeros.")

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in type(self).model_fields)

    @property
    def label(self) -> str:
        """Names with the parameters that are not at their defaults, e.g. ``blur, scale(range=0.3)``; ``none``."""
        texts = []
        for name, values in identity_parameters(self).items():
            given = ", ".join(f"{key}={canonical_json(values[key])}" for key in sorted(values))
            texts.append(f"{name}({given})" if given else name)
        return ", ".join(texts) or "none"
