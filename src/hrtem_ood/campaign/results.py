"""The results folder: paths and reading of artifacts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.stage_table import STAGES

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Results:
    """A results folder.

    Attributes
    ----------
    root : Path

    Examples
    --------
    >>> import hrtem_ood
    >>> from pathlib import Path
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> results = hrtem_ood.Results(Path("results"))
    >>> results.exists("metrics", campaign.metrics_id), results.ids("networks") == set(campaign.networks)
    (True, True)
    >>> with results.open("transfer", campaign.transfer.id) as transfer:
    ...     transfer.sigma.dims
    ('condition', 'condition_prime')
    """

    root: Path

    def path(self, stage: str, id_: str) -> Path:
        """Path of an artifact, whether it exists or not; of a report, its folder."""
        return self.root / STAGES[stage].path(id_)

    def exists(self, stage: str, id_: str) -> bool:
        """Whether an artifact exists. Of a report, only its folder is checked."""
        return self.path(stage, id_).exists()

    def open(self, stage: str, id_: str, *, dask: bool = True) -> "AbstractContextManager[xr.Dataset]":
        """Open a ``.zarr.zip`` lazily; see :func:`hrtem_ood.artifacts.store.open_zarr`."""
        return store.open_zarr(self.path(stage, id_), dask=dask)

    def read_json(self, stage: str, id_: str) -> dict[str, Any]:
        """Read a JSON artifact; see :func:`hrtem_ood.artifacts.store.read_json`."""
        return store.read_json(self.path(stage, id_))

    def paths(self, stage: str) -> Iterator[Path]:
        """Yield the paths of all existing artifacts of a stage, sorted, without files that are still being written."""
        folder, suffix = self.root / stage, STAGES[stage].suffix
        for path in sorted(folder.glob(f"*{suffix}")):
            if not path.name.startswith("."):
                yield path

    def ids(self, stage: str) -> set[str]:
        """Ids of all existing artifacts of a stage."""
        suffix = STAGES[stage].suffix or ""
        return {path.name.removesuffix(suffix) for path in self.paths(stage)}
