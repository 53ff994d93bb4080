"""From names in the configuration to what an advice needs, with every mistake told."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.errors import ConfigError
from hrtem_ood.transfer.measure_registry import MEASURES

WRITTEN = re.compile(r"designed|uniform|random_\d+")
"""Names of the condition grids that an experiment brings along."""


@dataclass(frozen=True)
class Options:
    """What is asked for by name.

    Attributes
    ----------
    uses, candidates : tuple of str
        Condition grids; no candidates: those of use.
    by : str
        A measure.
    images : int
        Of every training set, in all.
    training_set, networks, suite : str or None
        Entries whose structures, hyperparameters and test structures are taken; None: the first that fits.
    """

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    predictor: str
    images: int = 0
    training_set: str | None = None
    networks: str | None = None
    suite: str | None = None


@dataclass(frozen=True)
class ResolvedOptions:
    """The same, complete and checked; ``sets`` are the structure sets that train and that are tested."""

    target_conditions: tuple[str, ...]
    candidates: tuple[str, ...]
    training_set: str
    networks: str
    sets: tuple[str, str]


def resolve_options(campaign: Campaign, named: Options) -> ResolvedOptions:
    """Complete what is asked for.

    Parameters
    ----------
    campaign : Campaign
    named : Options

    Returns
    -------
    Found

    Raises
    ------
    ConfigError
        Names the option and what would be valid.
    """
    config = campaign.config
    for option, names, known in (
        ("--target-conditions", named.target_conditions, config.conditions),
        ("--candidates", named.candidates, config.conditions),
        ("--predictor", (named.predictor,), MEASURES),
        ("--training-set", (named.training_set,), config.training_sets),
        ("--networks", (named.networks,), config.networks),
        ("--suite", (named.suite,), config.test_suites),
    ):
        _check(option, [name for name in names if name is not None], known)
    if written := [name for name in named.target_conditions if WRITTEN.fullmatch(name)]:
        raise ConfigError(
            f"--target-conditions: the experiment defines conditions named `{written[0]}` itself, which would replace "
            "those; give them another name in the configuration."
        )
    training_set = named.training_set or next(iter(config.training_sets))
    structures = config.training_sets[training_set].structure_set
    spare = config.structure_sets[structures].n_structures - config.training_sets[training_set].n_validation_structures
    if named.images > spare:
        raise ConfigError(
            f"--images: {named.images} are asked for, but structure set `{structures}` has {spare} that train; "
            f"ask for {spare} at most, or raise structure_sets.{structures}.n_structures."
        )
    recipe = campaign.recipe_id(structures)
    suites = [name for name, suite in config.test_suites.items() if campaign.recipe_id(suite.structure_set) == recipe]
    suite = named.suite or (suites[0] if suites else None)
    if suite is None:
        raise ConfigError(
            f"--suite: none tests on structures like those of training set `{training_set}` ({structures}); "
            f"name one of {', '.join(config.test_suites)}."
        )
    return ResolvedOptions(
        named.target_conditions,
        named.candidates or named.target_conditions,
        training_set,
        named.networks or next(iter(config.networks)),
        (structures, config.test_suites[suite].structure_set),
    )


def _check(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    valid = list(known)
    for name in names:
        if name not in valid:
            close = difflib.get_close_matches(name, valid, n=1)
            hint = f"did you mean `{close[0]}`? " if close else ""
            raise ConfigError(f"{option}: there is no `{name}`; {hint}Valid: {', '.join(valid)}.")
