"""Campaigns, their datasets, exit waves and metrics."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrtem_ood.api.arguments import FolderPath, check_name, open_artifact
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.errors import ArgumentError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.suggestions import listed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def load_campaign(*configs: str | os.PathLike[str]) -> Campaign:
    """Load a campaign from its configuration.

    Parameters
    ----------
    *configs : str or path
        YAML files, as ``snakemake --configfile`` takes them: each is merged on the one before, the first on
        ``config/config.yaml`` of the working directory, where there is one. Files that a configuration names, such as
        crystal files, are relative to the working directory.

    Returns
    -------
    Campaign

    Raises
    ------
    ConfigError
        Where a file cannot be read or is not valid; the message lists every mistake.

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> campaign.name, len(campaign.datasets), len(campaign.networks)
    ('tiny', 4, 6)
    """
    return load_campaign_from_files([Path(each) for each in configs])


def list_datasets(campaign: Campaign) -> "pd.DataFrame":
    """List the datasets of a campaign with their parameters, whether they exist already or not.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    pandas.DataFrame
        Indexed by the ids of datasets: ``structure_set``, ``n_structures`` (the number of images), and of the imaging
        condition ``defocus_A`` [Å], ``dose_e_per_A2`` [e/Å²], and every parameter that is not at its default in all
        datasets; its unit ends its name, aberrations are in Å and their azimuths in rad.

    Examples
    --------
    >>> import hrtem_ood
    >>> datasets = hrtem_ood.list_datasets(hrtem_ood.load_campaign("config/config.yaml"))
    >>> datasets.query("defocus_A > 0").structure_set.tolist()
    ['train', 'test']
    """
    import pandas as pd

    rows = [
        {"structure_set": campaign.structure_set_of_dataset[id_], "n_structures": spec.n_structures}
        | {name: getattr(spec.condition, name) for name in _varying(campaign)}
        for id_, spec in campaign.datasets.items()
    ]
    return pd.DataFrame(rows, index=pd.Index(list(campaign.datasets), name="dataset"))


def _varying(campaign: Campaign) -> list[str]:
    used = {name for spec in campaign.datasets.values() for name in spec.condition.non_default()}
    return [name for name in Condition.model_fields if name in used]


def list_networks(campaign: Campaign) -> "pd.DataFrame":
    """List the networks of a campaign with their parameters, whether they are trained already or not.

    Parameters
    ----------
    campaign : Campaign

    Returns
    -------
    pandas.DataFrame
        Indexed by the ids of networks: ``training_set`` (name in the configuration), ``training_id`` (id of the training
        set), ``conditions`` (labels of the training conditions, with semicolons between), ``n_images`` (number of
        training images), ``architecture``, and all hyperparameters under their names in the configuration.

    Examples
    --------
    >>> import hrtem_ood
    >>> networks = hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml"))
    >>> networks.query("training_set == 'mixed'")[["conditions", "n_images", "seed"]].values.tolist()
    [['Δf −100 Å, 1000 e/Å²; Δf +100 Å, 1000 e/Å²', 4, 0], ['Δf −100 Å, 1000 e/Å²; Δf +100 Å, 1000 e/Å²', 4, 1]]
    """
    import pandas as pd

    names: dict[str, str] = {}
    for name, group in campaign.training_sets.items():
        for training_set in group:
            names.setdefault(training_set.id, name)
    rows = []
    for spec in campaign.networks.values():
        training_set = campaign.training_set_by_id[spec.training_set]
        conditions = sorted(
            {campaign.datasets[id_].condition for id_ in training_set.datasets}, key=campaign.transfer.conditions.index
        )
        rows.append(
            {
                "training_set": names[spec.training_set],
                "training_id": spec.training_set,
                "conditions": "; ".join(condition.label for condition in conditions),
                "n_images": sum(training_set.n_images),
                "architecture": spec.hyperparameters.architecture.label,
            }
            | spec.hyperparameters.model_dump(exclude={"architecture"})
            | {"augmentations": spec.hyperparameters.augmentations.label}
        )
    return pd.DataFrame(rows, index=pd.Index(list(campaign.networks), name="network"))


def open_dataset(
    campaign: Campaign,
    dataset: str | None = None,
    *,
    results: FolderPath = "results",
    structure_set: str | None = None,
    **condition: float | None,
) -> "xr.Dataset":
    """Open a dataset, the images of one structure set under one condition, by its id or by its parameters.

    Parameters
    ----------
    campaign : Campaign
    dataset : str, optional
        Id of a dataset of the campaign, see :func:`list_datasets`.
    results : str or path
        The results folder.
    structure_set : str, optional
        Name of its structure set in the configuration.
    **condition : float or None
        Parameters of its condition, by the names of :class:`Condition`, e.g. ``defocus_A=100`` [Å]. Exactly one dataset
        must have all given parameters.

    Returns
    -------
    xarray.Dataset
        Loaded lazily until it is closed. ``counts``, unsigned integer (image, y, x) [e/px]; ``label``, uint8
        (image, y, x), 1 in particles; ``defocus_A`` (image,) [Å], counted from the exit plane; what varies from image to
        image; coordinates ``y`` and ``x`` [Å].

    Raises
    ------
    ArgumentError
        Where no dataset, or more than one, has these parameters.
    ArtifactError
        Where the dataset has not been created, or is damaged.

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> dataset = hrtem_ood.open_dataset(campaign, structure_set="test", defocus_A=100)
    >>> dict(dataset.counts.sizes)
    {'image': 3, 'y': 32, 'x': 32}
    >>> dataset.label.dtype, dataset.attrs["pixel_size_A"]
    (dtype('uint8'), 0.8)
    """
    if dataset is None:
        dataset = _only_dataset(campaign, structure_set, condition)
    elif structure_set is not None or condition:
        raise ArgumentError("give a dataset either by its id or by parameters, not by both.")
    check_name("dataset", dataset, campaign.datasets)
    return open_artifact(campaign, results, "datasets", dataset)


def _only_dataset(campaign: Campaign, structure_set: str | None, condition: Mapping[str, Any]) -> str:
    for name in condition:
        check_name("parameter", name, ("structure_set", *Condition.model_fields))
    if structure_set is not None:
        check_name("structure_set", structure_set, campaign.used_structure_sets)
    matching = [
        id_
        for id_, spec in campaign.datasets.items()
        if structure_set in (None, campaign.structure_set_of_dataset[id_])
        and all(getattr(spec.condition, name) == value for name, value in condition.items())
    ]
    if len(matching) == 1:
        return matching[0]
    given = ", ".join(f"{name}={value!r}" for name, value in {"structure_set": structure_set, **condition}.items())
    if not matching:
        raise ArgumentError(f"no dataset of campaign {campaign.name} has {given}; list_datasets lists them.")
    raise ArgumentError(
        f"{len(matching)} datasets of campaign {campaign.name} have {given}: {listed(matching)}. Give more parameters, "
        "or the id."
    )


def open_exit_waves(campaign: Campaign, exit_waves: str, *, results: FolderPath = "results") -> "xr.Dataset":
    """Open the exit waves of a structure set, or of one shard of it.

    Parameters
    ----------
    campaign : Campaign
    exit_waves : str
        Name of a structure set of the configuration, or id of an exit-wave shard (a key of ``campaign.exit_waves``).
    results : str or path
        The results folder.

    Returns
    -------
    xarray.Dataset
        Loaded lazily until it is closed. ``exit_wave``, complex64 (structure, phonon, y, x), on the sampling of the
        simulation; ``particle_phase`` (structure, y, x) [rad]; ``zero_defocus_A`` (structure,) [Å].

    Raises
    ------
    ArgumentError
        Where there is no such structure set or shard in the campaign.
    ArtifactError
        Where exit waves have not been created, or are damaged.

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> waves = hrtem_ood.open_exit_waves(campaign, "train")
    >>> waves.exit_wave.dims, waves.sizes["structure"], waves.exit_wave.dtype
    (('structure', 'phonon', 'y', 'x'), 6, dtype('complex64'))
    """
    import xarray as xr

    if exit_waves in campaign.exit_waves:
        return open_artifact(campaign, results, "exit_waves", exit_waves)
    check_name("structure set", exit_waves, campaign.used_structure_sets)
    shards = [simulate.id for _, simulate in campaign.shards(exit_waves)]
    parts = [open_artifact(campaign, results, "exit_waves", id_) for id_ in shards]
    joined = xr.concat(parts, dim="structure", data_vars="minimal", combine_attrs="drop_conflicts")
    files = ExitStack()
    for part in parts:
        files.callback(part.close)
    joined.set_close(files.close)
    return joined


def open_metrics(campaign: Campaign, *, results: FolderPath = "results") -> "xr.Dataset":
    """Open the scores of all networks of a campaign on all its test datasets.

    Parameters
    ----------
    campaign : Campaign
        A finished one.
    results : str or path
        The results folder.

    Returns
    -------
    xarray.Dataset
        Loaded lazily until it is closed. Scores per image such as ``f1``, float32 (network, condition, image) [1];
        their means over images, ``mean_f1``, and OOD gaps, ``gap_f1``, (network, condition); ``in_domain``, ``sigma``,
        ``abs_delta_defocus_A`` (network, condition); ``epsilon`` (condition,). ``network`` holds ids of networks and
        ``condition`` ids of test datasets; their parameters are coordinates.

    Raises
    ------
    ArtifactError
        Where the campaign has not been run to its end, or the file is damaged.

    Examples
    --------
    >>> import hrtem_ood
    >>> metrics = hrtem_ood.open_metrics(hrtem_ood.load_campaign("config/config.yaml"))
    >>> dict(metrics.f1.sizes)
    {'network': 6, 'condition': 2, 'image': 3}
    >>> metrics.mean_f1.where(metrics.in_domain).max("network").dims
    ('condition',)
    """
    return open_artifact(campaign, results, "metrics", campaign.metrics_id)
