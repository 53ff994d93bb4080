"""Every measure of (training, test) by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hrtem_ood.transfer import ctf_overlap, information, texture_detector
from hrtem_ood.transfer.image_spectrum import ImageSpectra


@dataclass(frozen=True)
class Measure:
    """A number computed for what training and test images show.

    Attributes
    ----------
    function : callable
        Of training and test, :class:`~hrtem_ood.transfer.image_spectrum.ImageSpectra` each.
    nearer : {"larger", "smaller"}
        Which values mean that the test is nearer to the training, fixed by theory.
    symbol : str
        For axes and tables.
    unit : str
    nothing : float
        Where larger is nearer, the value of a test that nothing is known of; distances have no such end.
    """

    function: Callable[[ImageSpectra, ImageSpectra], float]
    direction: Literal["larger", "smaller"]
    symbol: str
    unit: str = "1"
    chance_value: float = 0.0


MEASURES = {
    "sigma": Measure(ctf_overlap.ctf_overlap, "larger", "σ"),
    "sigma_object": Measure(ctf_overlap.ctf_overlap_object, "larger", "σ, object-weighted"),
    "signed_sigma": Measure(ctf_overlap.signed_ctf_overlap, "larger", "signed σ"),
    "coverage": Measure(ctf_overlap.coverage, "larger", "coverage of |T|"),
    "coverage_object": Measure(ctf_overlap.coverage_object, "larger", "coverage of |T|√W"),
    "snr_sigma": Measure(information.snr_overlap, "larger", "overlap of SNR"),
    "information_shared": Measure(information.information_shared, "larger", "shared information", "bit/Å²"),
    "information_covered": Measure(information.information_covered, "larger", "covered information"),
    "log_cnr_difference": Measure(information.log_cnr_difference, "smaller", "|Δ ln CNR|"),
    "log_spectrum_theory": Measure(information.log_spectrum_distance, "smaller", "|Δ ln P|, theory"),
    "texture_divergence": Measure(texture_detector.divergence, "smaller", "texture divergence", "nat/Å²"),
    "wiener_excess": Measure(texture_detector.wiener_excess, "smaller", "Wiener excess"),
    "texture_accuracy": Measure(texture_detector.accuracy, "larger", "texture accuracy", chance_value=0.5),
}
"""Measures by name. Of a mixture, a measure is the nearest over its conditions."""

OF_UNIONS = ("coverage", "coverage_object", "information_covered", "texture_accuracy")
"""Those that are also taken of a mixture's weighted union, :func:`hrtem_ood.transfer.image_spectrum.mixture_spectra`."""
