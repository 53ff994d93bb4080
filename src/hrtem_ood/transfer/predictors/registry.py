"""Every predictor by its name: what it is a function of, and which way it points."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hrtem_ood.errors import ConfigError
from hrtem_ood.transfer.measure_registry import MEASURES, OF_UNIONS
from hrtem_ood.transfer.parameters import PREDICTOR_NAMES, OwnPredictor
from hrtem_ood.transfer.predictors import condition_distance, image_distance, mixtures
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet
from hrtem_ood.user_code import load_user_module

Family = Literal["transfer", "naive", "images", "user"]


@dataclass(frozen=True)
class Predictor:
    """A number for a training set and a test dataset.

    Attributes
    ----------
    function : callable
        Of a :class:`~hrtem_ood.transfer.predictors.inputs.TrainingSet` and a
        :class:`~hrtem_ood.transfer.predictors.inputs.Dataset`.
    nearer : {"larger", "smaller"}
        Which values mean that the test is nearer to the training.
    symbol, unit : str
    family : {"transfer", "naive", "images", "user"}
    """

    function: Callable[[TrainingSet, Dataset], float]
    direction: Literal["larger", "smaller"]
    symbol: str
    unit: str = "1"
    family: Family = "transfer"


PREDICTORS: dict[str, Predictor] = {
    **{
        name: Predictor(mixtures.for_nearest_condition(measure), measure.direction, measure.symbol, measure.unit)
        for name, measure in MEASURES.items()
    },
    **{
        f"{name}_union": Predictor(
            mixtures.for_mixture(measure), measure.direction, f"{measure.symbol}, union", measure.unit
        )
        for name, measure in MEASURES.items()
        if name in OF_UNIONS
    },
    "texture_gap": Predictor(mixtures.texture_gap, "larger", "texture gap"),
    "texture_regret": Predictor(mixtures.texture_regret, "larger", "texture regret"),
    "object_overlap": Predictor(mixtures.object_overlap, "larger", "overlap of objects"),
    "test_information": Predictor(mixtures.test_information, "larger", "information of the test", "bit/Å²"),
    "test_log_cnr": Predictor(mixtures.test_log_cnr, "larger", "ln CNR of the test"),
    "abs_delta_defocus_A": Predictor(condition_distance.abs_delta_defocus, "smaller", "|Δf − Δf′|", "Å", "naive"),
    "delta_abs_defocus_A": Predictor(condition_distance.delta_abs_defocus, "smaller", "||Δf| − |Δf′||", "Å", "naive"),
    "delta_log_dose": Predictor(condition_distance.delta_log_dose, "smaller", "|Δ ln dose|", "1", "naive"),
    "parameter_distance": Predictor(
        condition_distance.parameter_distance, "smaller", "parameter distance", "1", "naive"
    ),
    "test_log_dose": Predictor(condition_distance.test_log_dose, "larger", "ln dose of the test", "1", "naive"),
    "log_spectrum": Predictor(image_distance.log_spectrum, "smaller", "|Δ ln P|, images", "1", "images"),
    "frechet": Predictor(image_distance.frechet_distance, "smaller", "Fréchet distance", "1", "images"),
    "mmd": Predictor(image_distance.mmd_distance, "smaller", "MMD²", "1", "images"),
}
"""Predictors by name."""

assert set(PREDICTORS) == set(PREDICTOR_NAMES)


def user_predictor(name: str, entry: OwnPredictor) -> Predictor:
    """Make a predictor of a user's file.

    Parameters
    ----------
    name : str
        Key in the configuration.
    entry : OwnPredictor

    Returns
    -------
    Predictor
        Whose function tells of a user's mistake by ConfigError.

    Raises
    ------
    ConfigError
        Where the file does not define the function.
    ArtifactError
        Where it is not the file that is meant.
    """
    path = Path(entry.file)
    module = load_user_module(path, entry.sha256, f"the predictor {name}", "run snakemake again")
    function = getattr(module, entry.name, None)
    where = f"predictor `{name}` of {path}"
    if not callable(function):
        raise ConfigError(f"{where}: the file defines no function `{entry.name}`.")

    def value(train: TrainingSet, test: Dataset) -> float:
        try:
            found = float(function(train, test, **entry.parameters))
        except (Exception, SystemExit) as error:  # whatever a user's code stumbles on
            raise ConfigError(f"{where}: {entry.name} fails with {type(error).__name__}: {error}") from error
        if np.isinf(found):
            raise ConfigError(f"{where}: {entry.name} gives {found}; give a finite number, or NaN where there is none.")
        return found

    return Predictor(value, entry.direction, entry.symbol or name, entry.unit, "user")
