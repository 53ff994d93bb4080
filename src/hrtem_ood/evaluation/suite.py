"""Stage `suite`: the index of a suite of test datasets. Needs no PyTorch, which takes longer to load than this to run."""

import time
from collections.abc import Sequence
from pathlib import Path

from hrtem_ood import store
from hrtem_ood.campaign.specs import SuiteSpec
from hrtem_ood.errors import ArtefactError
from hrtem_ood.progress import track


def index_suite(spec: SuiteSpec, datasets: Sequence[Path], output: Path) -> None:
    """Write the index of a suite, one small file that stands for all its datasets and changes when one of them does.

    Parameters
    ----------
    spec : SuiteSpec
    datasets : sequence of Path
        ``datasets/<id>.zarr.zip``, as ``spec.datasets`` names them.
    output : Path
        ``suites/<id>.json``.
    """
    begin = time.monotonic()
    found = tuple(store.artefact_id(path) for path in datasets)
    if found != spec.datasets:
        raise ArtefactError(f"{output} needs the datasets {', '.join(spec.datasets)}, not {', '.join(found)}.")
    entries = {}
    for path in track(datasets, "test datasets", len(datasets)):
        with store.open_zarr(path) as dataset:
            # of counts and labels: a dataset that was made again, with the same images, needs no new scores
            sha256 = dataset.attrs["sha256_of_images"]
            entries[store.artefact_id(path)] = {"images": dataset.sizes["image"], "sha256": sha256}
    told = store.provenance(spec, seconds=time.monotonic() - begin, device="cpu")
    store.write_json(output, {"datasets": entries, **told})
