"""Resolution of the options of a design: names in the configuration, defaults, and messages about mistakes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.errors import ConfigError
from hrtem_ood.suggestions import valid_names
from hrtem_ood.transfer.predictors.registry import SPECTRAL_PREDICTORS

EXPERIMENT_GRIDS = re.compile(r"designed|uniform|random_\d+")
"""Names of the condition grids that an experiment defines."""


@dataclass(frozen=True)
class Options:
    """Options as given on the command line.

    Attributes
    ----------
    target_conditions, candidates : tuple of str
        Names of condition grids. No candidates: the target conditions.
    predictor : str
    n_images : int
        Training images of every training set, in all.
    training_set, networks, test_suite : str or None
        Entries whose structures, hyperparameters and test structures are used. None: the first suitable one.
    """

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    predictor: str
    n_images: int = 0
    training_set: str | None = None
    networks: str | None = None
    test_suite: str | None = None


@dataclass(frozen=True)
class ResolvedOptions:
    """Complete and valid options.

    Attributes
    ----------
    target_conditions, candidates : tuple of str
    training_set, networks : str
    structure_sets : (str, str)
        Structure sets of training and test.
    """

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    training_set: str
    networks: str
    structure_sets: tuple[str, str]


def resolve_options(campaign: Campaign, options: Options) -> ResolvedOptions:
    """Check options against a campaign and fill in defaults.

    Parameters
    ----------
    campaign : Campaign
    options : Options

    Returns
    -------
    ResolvedOptions

    Raises
    ------
    ConfigError
        Names the option and its valid values.
    """
    config = campaign.config
    for option, names, valid in (
        ("--target-conditions", options.target_conditions, config.conditions),
        ("--candidates", options.candidates, config.conditions),
        ("--predictor", (options.predictor,), SPECTRAL_PREDICTORS),
        ("--training-set", (options.training_set,), config.training_sets),
        ("--networks", (options.networks,), config.networks),
        ("--suite", (options.test_suite,), config.simulated_suites),
    ):
        _check_names(option, [name for name in names if name is not None], valid)
        if twice := [name for name in names if name is not None and names.count(name) > 1]:
            raise ConfigError(f"{option}: `{twice[0]}` is given twice; give each name once.")
    if replaced := [name for name in options.target_conditions if EXPERIMENT_GRIDS.fullmatch(name)]:
        raise ConfigError(
            f"--target-conditions: the experiment defines conditions named `{replaced[0]}` itself, which would replace "
            "those; give them another name in the configuration."
        )
    training_set = options.training_set or next(iter(config.training_sets))
    structure_set = _structure_set(campaign, training_set)
    _check_n_images(campaign, options.n_images, training_set)
    return ResolvedOptions(
        options.target_conditions,
        options.candidates or options.target_conditions,
        training_set,
        options.networks or next(iter(config.networks)),
        (structure_set, _test_structure_set(campaign, options.test_suite, training_set)),
    )


def _check_names(option: str, names: Iterable[str], choices: Iterable[str]) -> None:
    valid = list(choices)
    for name in names:
        if name not in valid:
            raise ConfigError(f"{option}: there is no `{name}`; {valid_names(name, valid)}")


def _structure_set(campaign: Campaign, training_set: str) -> str:
    """Return the structure set of a training set, which must have one."""
    names = campaign.config.training_sets[training_set].structure_sets
    if len(names) > 1:
        raise ConfigError(
            f"--training-set: `{training_set}` mixes the structure sets {', '.join(names)}; conditions are chosen for one. Give "
            "a training set of one structure set."
        )
    return names[0]


def _check_n_images(campaign: Campaign, n_images: int, training_set: str) -> None:
    entry, name = campaign.config.training_sets[training_set], _structure_set(campaign, training_set)
    largest = campaign.config.structure_sets[name].n_structures - entry.n_validation_structures
    if n_images > largest:
        raise ConfigError(
            f"--images: {n_images} are more than the {largest} structures of `{name}` that train; "
            f"give {largest} at most, or raise structure_sets.{name}.n_structures."
        )


def _test_structure_set(campaign: Campaign, test_suite: str | None, training_set: str) -> str:
    """Return the structure set of a test suite, by default of the first one with the training set's structure recipe."""
    suites, structure_set = campaign.config.simulated_suites, _structure_set(campaign, training_set)
    if test_suite is not None:
        return suites[test_suite].structure_sets[0]
    recipe = campaign.recipe_id(structure_set)
    for name in (name for suite in suites.values() for name in suite.structure_sets):
        if campaign.recipe_id(name) == recipe:
            return name
    raise ConfigError(
        f"--suite: no test suite has the structure recipe of training set `{training_set}` (that of `{structure_set}`); "
        f"name one of {', '.join(suites)}."
    )
