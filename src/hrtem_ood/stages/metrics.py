"""Stage `metrics`: all scores of a campaign in one store."""

import time
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.malloc import keep_freed_memory


def metrics(campaign: Campaign, results: Path) -> None:
    """Gather all evaluations of a campaign into one store, ``metrics/<id>.zarr.zip``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: evaluations, packs and transfer are read.
    """
    # takes a second to import
    from hrtem_ood.analysis.metrics import metrics_dataset, write_scores

    begin = time.monotonic()
    keep_freed_memory()
    info = store.SimpleArtifactInfo(campaign.metrics_id, "metrics", STAGE_VERSIONS["metrics"], campaign.config_json)
    with store.writing_zarr(Results(results).path("metrics", campaign.metrics_id)) as writer:
        dataset = metrics_dataset(campaign, results, write_scores(campaign, results, writer))
        writer.finalize(dataset, store.provenance(info, seconds=time.monotonic() - begin, device="cpu"))
