"""Stage `suite`: the index of the test datasets of a suite; in a separate module, as it needs no torch."""

import time
from collections.abc import Sequence
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import SuiteSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.progress import track


def index_suite(spec: SuiteSpec, datasets: Sequence[Path], output: Path) -> None:
    """Write the index of a suite, one small file that represents all its datasets and changes when one of them does.

    Parameters
    ----------
    spec : SuiteSpec
    datasets : sequence of Path
        ``datasets/<id>.zarr.zip``, or one ``labelled_sets/<id>.zarr.zip``, as ``spec.datasets`` names them.
    output : Path
        ``suites/<id>.json``.
    """
    begin = time.monotonic()
    ids = tuple(store.artifact_id_of(path) for path in datasets)
    if ids != spec.datasets:
        raise ArtifactError(f"{output} needs the datasets {', '.join(spec.datasets)}, not {', '.join(ids)}.")
    entries = {}
    for path in track(datasets, "test datasets", len(datasets)):
        with store.open_zarr(path) as dataset:
            # of counts and labels: a dataset that was created again, with the same images, needs no new scores
            sha256 = dataset.attrs["sha256_of_images"]
            entry = {"images": dataset.sizes["image"], "sha256": sha256, "made_on": store.made_on(dataset.attrs)}
            if path.parent.name == "labelled_sets":
                entry["stage"] = "labelled_sets"
            entries[store.artifact_id_of(path)] = entry
    provenance = store.provenance(spec, seconds=time.monotonic() - begin, device="cpu")
    store.write_json(output, {"datasets": entries, **provenance})
