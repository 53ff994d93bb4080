"""Registry of predictors, one row each. A new predictor is a function and a row; `make docs` lists it.

This module is imported whenever a configuration is checked. Nothing that it imports may load PyTorch, abTEM, xarray, or those
parts of SciPy that only a computation uses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from hrtem_ood.transfer import ctf_overlap, information, texture_detector
from hrtem_ood.transfer.predictors import condition_distance, image_distance, mixtures
from hrtem_ood.transfer.predictors.mixtures import Direction, PredictorFunction

Family = Literal["transfer", "naive", "images", "user"]
Arguments = Literal["spectra", "mixture", "conditions", "datasets", "training set"]


@dataclass(frozen=True)
class Predictor:
    """A number for a training set and a test dataset, available before a network is trained.

    Attributes
    ----------
    name : str
        In configurations, tables and artifacts.
    measure : callable
        Returns a float; see ``arguments``. NaN where there is no value.
    direction : {"larger", "smaller"}
        Which values mean that the test is nearer to the training: fixed by theory, not by data.
    symbol, unit : str
        For axes and tables.
    family : {"transfer", "naive", "images", "user"}
        Whether it uses information transfer, the parameters of conditions, images, or is a user's.
    arguments : {"spectra", "mixture", "conditions", "datasets", "training set"}
        Arguments of ``measure``. For training and test: two
        :class:`~hrtem_ood.transfer.image_spectrum.ImageSpectra` (of the nearest dataset, or of the mixture of all), two
        :class:`~hrtem_ood.physics.optics.condition.Condition`, two
        :class:`~hrtem_ood.transfer.predictors.inputs.Dataset`; or the whole
        :class:`~hrtem_ood.transfer.predictors.inputs.TrainingSet` and a test ``Dataset``.
    needs_objects : bool
        Whether it depends on the power spectra of the objects, which are estimated from exit waves.
    chance_value : float
        Where larger is nearer, the value without any information about the test. Distances have none.
    """

    name: str
    measure: Callable[[Any, Any], float]
    direction: Direction
    symbol: str
    unit: str = "1"
    family: Family = "transfer"
    arguments: Arguments = "spectra"
    needs_objects: bool = True
    chance_value: float = 0.0

    @cached_property
    def function(self) -> PredictorFunction:
        """The predictor as a function of a ``TrainingSet`` and a test ``Dataset``, whatever ``arguments`` are."""
        match self.arguments:
            case "spectra":
                return mixtures.for_nearest_spectra(self.measure, self.direction)
            case "mixture":
                return mixtures.for_mixture(self.measure)
            case "conditions":
                return mixtures.for_nearest_condition(self.measure, self.direction)
            case "datasets":
                return mixtures.for_nearest_dataset(self.measure, self.direction)
            case "training set":
                return self.measure


ROWS = (
    Predictor("sigma", ctf_overlap.ctf_overlap, "larger", "σ", needs_objects=False),
    Predictor("sigma_object", ctf_overlap.ctf_overlap_object, "larger", "σ, object-weighted"),
    Predictor("signed_sigma", ctf_overlap.signed_ctf_overlap, "larger", "signed σ", needs_objects=False),
    Predictor("coverage", ctf_overlap.coverage, "larger", "coverage of |T|", needs_objects=False),
    Predictor("coverage_object", ctf_overlap.coverage_object, "larger", "coverage of |T|√W"),
    Predictor("snr_sigma", information.snr_overlap, "larger", "overlap of SNR"),
    Predictor("information_shared", information.information_shared, "larger", "shared information", "bit/Å²"),
    Predictor("information_covered", information.information_covered, "larger", "covered information"),
    Predictor("log_cnr_difference", information.log_cnr_difference, "smaller", "|Δ ln CNR|"),
    Predictor("log_spectrum_theory", information.log_spectrum_distance, "smaller", "|Δ ln P|, theory"),
    Predictor("texture_divergence", texture_detector.divergence, "smaller", "texture divergence", "nat/Å²"),
    Predictor("wiener_excess", texture_detector.wiener_excess, "smaller", "Wiener excess"),
    Predictor("texture_accuracy", texture_detector.accuracy, "larger", "texture accuracy", chance_value=0.5),
    Predictor(
        "coverage_union", ctf_overlap.coverage, "larger", "coverage of |T|, union", arguments="mixture",
        needs_objects=False,
    ),
    Predictor(
        "coverage_object_union", ctf_overlap.coverage_object, "larger", "coverage of |T|√W, union", arguments="mixture"
    ),
    Predictor(
        "information_covered_union", information.information_covered, "larger", "covered information, union",
        arguments="mixture",
    ),
    Predictor(
        "texture_accuracy_union", texture_detector.accuracy, "larger", "texture accuracy, union", arguments="mixture",
        chance_value=0.5,
    ),
    Predictor("texture_gap", mixtures.texture_gap, "larger", "texture gap", arguments="training set"),
    Predictor("texture_regret", mixtures.texture_regret, "larger", "texture regret", arguments="training set"),
    Predictor("object_overlap", mixtures.object_overlap, "larger", "overlap of objects", arguments="datasets"),
    Predictor(
        "test_information", mixtures.test_information, "larger", "information of the test", "bit/Å²",
        arguments="datasets",
    ),
    Predictor("test_log_cnr", mixtures.test_log_cnr, "larger", "ln CNR of the test", arguments="datasets"),
    Predictor(
        "abs_delta_defocus_A", condition_distance.abs_delta_defocus, "smaller", "|Δf − Δf′|", "Å", "naive",
        "conditions", needs_objects=False,
    ),
    Predictor(
        "delta_abs_defocus_A", condition_distance.delta_abs_defocus, "smaller", "||Δf| − |Δf′||", "Å", "naive",
        "conditions", needs_objects=False,
    ),
    Predictor(
        "delta_log_dose", condition_distance.delta_log_dose, "smaller", "|Δ ln dose|", "1", "naive",
        "conditions", needs_objects=False,
    ),
    Predictor(
        "parameter_distance", condition_distance.parameter_distance, "smaller", "parameter distance", "1", "naive",
        "datasets", needs_objects=False,
    ),
    Predictor(
        "test_log_dose", condition_distance.test_log_dose, "larger", "ln dose of the test", "1", "naive",
        "conditions", needs_objects=False,
    ),
    Predictor(
        "log_spectrum", image_distance.log_spectrum, "smaller", "|Δ ln P|, images", "1", "images", "datasets",
        needs_objects=False,
    ),
    Predictor(
        "frechet", image_distance.frechet_distance, "smaller", "Fréchet distance", "1", "images", "datasets",
        needs_objects=False,
    ),
    Predictor(
        "mmd", image_distance.mmd_distance, "smaller", "MMD²", "1", "images", "datasets", needs_objects=False
    ),
)  # fmt: skip
"""The built-in predictors, in the order of tables and artifacts."""

PREDICTORS = {row.name: row for row in ROWS}
"""The same by name."""

SPECTRAL_PREDICTORS = {row.name: row for row in ROWS if row.arguments == "spectra"}
"""Those that compare one training with one test condition by their image spectra: training conditions can be designed by them."""
