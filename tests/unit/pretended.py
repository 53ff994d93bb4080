"""Artifacts that tell of themselves as real ones do, with next to nothing in them."""

import json

import xarray as xr
from ase import Atoms

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign import dag
from hrtem_ood.campaign.results import Results


def pretend(campaign, results, *, seconds=36.0, device="cpu"):
    """Leave what a finished run of a campaign leaves."""
    entry = {"seconds": seconds, "flops_per_image": 10**9, "parameter_count": 1000}

    def write(spec, more=None):
        path = Results(results).path(spec.stage, spec.id)
        told = store.provenance(spec, seconds=seconds, device=device)
        if path.suffix == ".extxyz":
            store.write_structures(path, [Atoms("H", cell=[1, 1, 1])], told)
        elif path.suffix == ".json":
            store.write_json(path, {**more, **told})
        else:
            store.write_zarr(path, xr.Dataset(), {**(more or {}), **told})

    for spec in [*campaign.structures.values(), *campaign.exit_waves.values(), *campaign.datasets.values()]:
        write(spec)
    for pack in campaign.packs.values():
        write(pack, {"networks": {network.id: entry for network in pack.networks}})
    for id_ in campaign.networks:
        store.write_text(Results(results).path("networks", id_), "weights")
    for suite in campaign.suites.values():
        write(suite, {"datasets": dict.fromkeys(suite.datasets)})
    for job in campaign.evaluations.values():
        both = {"networks": job.spec.networks, "datasets": job.suite.datasets}
        write(job.spec, {key: json.dumps(dict.fromkeys(ids, "digest")) for key, ids in both.items()})
    write(campaign.transfer)
    write(
        store.SimpleArtifactInfo(
            campaign.predictors_id, "predictors", STAGE_VERSIONS["predictors"], campaign.config_json
        )
    )
    write(store.SimpleArtifactInfo(campaign.metrics_id, "metrics", STAGE_VERSIONS["metrics"], campaign.config_json))
    for path in [
        *dag.job_outputs("reports", campaign.report_id, campaign),
        *dag.job_outputs("indexes", campaign.index_id),
    ]:
        store.write_text(results / path, "pretended")
    store.write_text(Results(results).path("configs", campaign.config_id), campaign.config_json)
