"""Python files that a configuration names: checked by their text, without running them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ArtifactError
from hrtem_ood.transfer.predictors.user_predictor import ARGUMENTS
from hrtem_ood.transfer.predictors.user_predictor import definition_of as predictor_definition
from hrtem_ood.user_code import UserDefinition


def definition_of(architecture: Architecture) -> UserDefinition:
    """Return where the class of an architecture of a user's file is defined."""
    assert architecture.file is not None
    return UserDefinition(
        Path(architecture.file),
        architecture.sha256,
        architecture.name,
        "class",
        "the architecture of a network",
        "give the new one another name and train again",
    )


def user_file_errors(campaign: Campaign) -> Iterator[str]:
    """Yield the errors of architectures and predictors of users' files, without running these files."""
    for name, grid in campaign.config.networks.items():
        for architecture in grid.architecture:
            if architecture.file is not None:
                key = f"networks.{name}.architecture"
                yield from _errors(key, definition_of(architecture), architecture.parameters)
    for name, entry in campaign.config.predictors.items():
        yield from _errors(f"predictors.{name}", predictor_definition(name, entry), entry.parameters, ARGUMENTS)


def _errors(key: str, definition: UserDefinition, parameters: Iterable[str], positional: int = 0) -> Iterator[str]:
    try:
        for error in definition.errors(parameters, positional=positional):
            yield f"{key}: {error}"
    except ArtifactError as error:
        yield f"{key}.file: {error}"
