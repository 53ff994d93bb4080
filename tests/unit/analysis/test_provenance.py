"""Reports say where artifacts come from several devices."""

import shutil

import xarray as xr

from hrtem_ood.analysis.provenance import campaign_provenance, mixed_devices_note
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results


def test_mixed_devices_are_noted_by_stage(small, lived, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(lived, results)
    stages, _ = campaign_provenance(small, results)
    assert [each.note for each in stages] == [""] * len(stages)
    id_, spec = next(iter(small.datasets.items()))
    gpu = {"NVIDIA driver": "580"}
    told = store.provenance(spec, seconds=1, device="NVIDIA H100", software=gpu)
    store.write_zarr(Results(results).path("datasets", id_), xr.Dataset(), told)
    stages, software = campaign_provenance(small, results)
    assert {each.stage: each.note for each in stages if each.note} == {
        "datasets": "datasets come from several devices: NVIDIA H100; cpu. Between devices, some counts differ by 1 "
        "(docs/gpu.md)."
    }
    assert software["NVIDIA driver"] == "580"


def test_other_stages_have_no_note():
    assert mixed_devices_note("transfer", ["cpu", "NVIDIA H100"]) == ""
    assert mixed_devices_note("exit_waves", ["cpu", "cpu"]) == ""
