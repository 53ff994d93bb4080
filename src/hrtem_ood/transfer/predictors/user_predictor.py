"""Predictors in a user's Python file; entries of the section `predictors` of a configuration."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from hrtem_ood.base_model import Model, Scalar
from hrtem_ood.errors import ConfigError
from hrtem_ood.quoting import shortened
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet
from hrtem_ood.transfer.predictors.registry import Predictor
from hrtem_ood.user_code import UserDefinition

ARGUMENTS = 2
"""Positional arguments of a predictor's function: a training set and a test dataset."""


class UserPredictor(Model):
    """A user-defined predictor: a function in a Python file."""

    file: str = Field(
        description="Python file that defines `name`, relative to the working directory; see docs/predictors.md. "
        "Its content, not its path, is part of every identity."
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=40)] = Field(
        description="Function of that file: of a training set and a test dataset, it returns a number."
    )
    direction: Literal["larger", "smaller"] = Field(
        description="Which values mean that the test is nearer to the training; it is not inferred from the data."
    )
    symbol: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="For axes and tables; left out: the key."
    )
    unit: Annotated[str, Field(max_length=20)] = Field("1", description="Unit of the number.")
    parameters: dict[str, Scalar] = Field({}, description="Keyword arguments of the function.")
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )


def definition_of(name: str, entry: UserPredictor) -> UserDefinition:
    """Return where the function of a predictor is defined.

    Parameters
    ----------
    name : str
        Key in the configuration.
    entry : UserPredictor
    """
    what = f"the predictor {name}"
    return UserDefinition(Path(entry.file), entry.sha256, entry.name, "function", what, "run snakemake again")


def user_predictor(name: str, entry: UserPredictor) -> Predictor:
    """Load a predictor from a user's file.

    Parameters
    ----------
    name : str
        Key in the configuration.
    entry : UserPredictor

    Returns
    -------
    Predictor
        Its function raises ConfigError where the user's function fails, or returns no number or an infinite one.

    Raises
    ------
    ConfigError
        If the file does not define the function.
    ArtifactError
        If the content of the file is not that of ``entry.sha256``.
    """
    function = definition_of(name, entry).load()
    where = f"predictor `{name}` of {entry.file}"

    def measure(train: TrainingSet, test: Dataset) -> float:
        try:
            value = float(function(train, test, **entry.parameters))
        except (Exception, SystemExit) as error:  # a user's code may raise anything
            raise ConfigError(
                f"{where}: {entry.name} fails with {type(error).__name__}: {shortened(str(error), 200)}"
            ) from error
        if np.isinf(value):
            raise ConfigError(
                f"{where}: {entry.name} returns {value}; return a finite number, or NaN where there is none."
            )
        return value

    return Predictor(name, measure, entry.direction, entry.symbol or name, entry.unit, "user", "training set")
