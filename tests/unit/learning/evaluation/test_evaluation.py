"""Evaluations hold what their networks say about every image, and compute nothing twice."""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import EvaluationSpec, NetworkSpec, SuiteSpec
from hrtem_ood.errors import ArtifactError, ConfigError, DeviceError
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.checkpoint import (
    TrainingDomain,
    TrainingOutcome,
    load_network,
    pack_entry,
    read_network,
    write_network,
)
from hrtem_ood.learning.evaluation.drop_weights import drop_scored_weights, networks_used_elsewhere
from hrtem_ood.learning.evaluation.forward_precision import forward_precision
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.repair import repair_image
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages import evaluate as stage
from hrtem_ood.stages.evaluate import evaluate, networks_to_score
from hrtem_ood.stages.suite import index_suite

IMAGES = 5
TRAINED_ON = TrainingDomain(((Condition(defocus_A=0, dose_e_per_A2=400), 1),), 300e3, 0.4, 16)


class Project:
    """A results folder with random networks and images, and the calls that the workflow makes."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def path(self, kind: str, name: str, suffix: str = ".zarr.zip") -> Path:
        return self.results / kind / f"{name}{suffix}"

    def dataset(self, name: str) -> str:
        rng = np.random.default_rng(sum(name.encode()))
        label = (rng.random((IMAGES, 16, 16)) < 0.3).astype(np.uint8)
        label[0] = 0  # nothing to find
        counts = rng.poisson(3 + 9 * label).astype(np.uint8)
        data = {"counts": (("image", "y", "x"), counts), "label": (("image", "y", "x"), label)}
        attributes = {"id": name, "sha256_of_images": store.arrays_sha256(counts, label)}
        store.write_zarr(self.path("datasets", name), xr.Dataset(data, coords={"image": np.arange(IMAGES)}), attributes)
        return name

    def pack(self, name: str, *seeds: int, diverged: tuple[int, ...] = (), **hyperparameters: Any) -> list[str]:
        entries = {}
        for seed in seeds:
            spec = NetworkSpec(
                training_set="t",
                hyperparameters={
                    "epochs": 1,
                    "architecture": {"base_channels": 2, "depth": 1},
                    "seed": seed,
                }
                | hyperparameters,
            )
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                trained = TrainingOutcome(build(spec.hyperparameters.architecture).state_dict(), 0, 0.5)
            trained.diverged = seed in diverged
            path = self.path("networks", spec.id, ".ckpt")
            entries[spec.id] = write_network(path, spec, trained, TRAINED_ON, seconds=0, device="cpu")
        store.write_json(self.path("packs", name, ".json"), {"id": name, "networks": entries})
        return list(entries)

    def pack_of(self, name: str, networks: list[str]) -> None:
        """Write a pack of networks that are there."""
        entries = {id_: pack_entry(read_network(self.path("networks", id_, ".ckpt"))) for id_ in networks}
        store.write_json(self.path("packs", name, ".json"), {"id": name, "networks": entries})

    def suite(self, *datasets: str) -> str:
        spec = SuiteSpec(datasets=datasets)
        paths = [self.path("datasets", name) for name in datasets]
        index_suite(spec, paths, self.path("suites", spec.id, ".json"))
        return spec.id

    def networks_of(self, packs: tuple[str, ...]) -> list[str]:
        return [id_ for pack in packs for id_ in store.read_json(self.path("packs", pack, ".json"))["networks"]]

    def evaluation(self, suite: str, *packs: str) -> EvaluationSpec:
        return EvaluationSpec(networks=self.networks_of(packs), suite=suite)

    def evaluate(self, packs: str | tuple[str, ...], suite: str, precision: str = "float32") -> xr.Dataset:
        packs = (packs,) if isinstance(packs, str) else packs
        networks = self.evaluation(suite, *packs).networks
        spec = EvaluationSpec(networks=networks, suite=suite, numeric_precision=precision)
        output = self.path("evaluations", spec.id)
        paths = [self.path("packs", pack, ".json") for pack in packs]
        evaluate(spec, paths, self.path("suites", suite, ".json"), self.results, output, device="cpu")
        return store.read_zarr(output)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the scores are computed of: one entry per network and dataset."""
    calls: list[Any] = []
    real = stage.group_scores

    def watched(networks: Any, group: Any, *rest: Any) -> Any:
        calls.extend([*networks] * len(group))
        return real(networks, group, *rest)

    monkeypatch.setattr(stage, "group_scores", watched)
    return calls


def expected_f1(project: Project, network: str, dataset: str, image: int) -> float:
    """F1 the long way: one image at a time, standardised and counted with NumPy."""
    stored = store.read_zarr(project.path("datasets", dataset)).isel(image=image)
    counts, label = stored.counts.values.astype(float), stored.label.values.astype(bool)
    standardised = torch.tensor((counts - counts.mean()) / counts.std(), dtype=torch.float32)[None, None]
    with torch.no_grad():
        logits = load_network(read_network(project.path("networks", network, ".ckpt")))(standardised)[0].numpy()
    predicted = logits.argmax(axis=0).astype(bool)
    if not (predicted.any() or label.any()):
        return 1.0
    return float(2 * (predicted & label).sum() / (predicted.sum() + label.sum()))


def test_scores_are_those_of_each_network_on_each_image(project: Project) -> None:
    networks, datasets = project.pack("p", 0, 1), [project.dataset("d1"), project.dataset("d2")]
    found = project.evaluate("p", project.suite(*datasets))
    assert set(found.data_vars) == {*METRICS, "feature", "features"}
    for name in METRICS:
        assert found[name].dims == ("network", "condition", "image")
        assert found[name].dtype == np.float32
        assert np.isfinite(found[name]).all()
    assert list(found.network.values) == networks
    assert list(found.condition.values) == datasets
    np.testing.assert_array_equal(found.image, np.arange(IMAGES))
    for network in networks:
        for dataset in datasets:
            for image in range(IMAGES):
                value = float(found.f1.sel(network=network, condition=dataset, image=image))
                assert value == pytest.approx(expected_f1(project, network, dataset, image), abs=1e-6)
    assert found.f1.std() > 0.05, "scores differ, or this test would show little"
    np.testing.assert_allclose(found.iou, found.f1 / (2 - found.f1), rtol=1e-5)


def test_networks_that_learned_from_repaired_images_are_tested_on_such(project: Project, tmp_path: Path) -> None:
    (plain,), (mended,) = project.pack("p", 0), project.pack("q", 0, repair=True)
    path = project.path("datasets", project.dataset("d"))
    whole = store.read_zarr(path)
    counts = whole.counts.values.astype(np.uint16)
    counts[:, 2, 3], counts[1, 7] = 3000, 0

    def written(values: Any) -> None:
        attributes = {"id": "d", "sha256_of_images": store.arrays_sha256(values, whole.label.values)}
        path.unlink()
        store.write_zarr(path, whole.assign(counts=(whole.counts.dims, values)).drop_encoding(), attributes)

    written(counts)
    found = project.evaluate(("p", "q"), project.suite("d"))
    shutil.rmtree(tmp_path / "evaluations")
    written(np.stack([repair_image(image.astype(np.float32)).image for image in counts]))
    by_hand = project.evaluate("p", project.suite("d"))
    for name in (*METRICS, "feature"):
        np.testing.assert_array_equal(found[name].sel(network=mended), by_hand[name].sel(network=plain))
    assert (found.f1.sel(network=plain) != found.f1.sel(network=mended)).any()


def test_scores_do_not_depend_on_how_networks_are_packed(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    together, other = project.pack("p", 0, 1), Project(project.results / "other")
    other.dataset("d")
    other.suite("d")
    assert other.pack("q", 1) == together[1:]
    alone = other.evaluate("q", suite)
    xr.testing.assert_identical(alone.drop_attrs(), project.evaluate("p", suite).isel(network=[1]).drop_attrs())


def test_networks_scored_one_by_one_need_but_be_gathered(project: Project, computed: list[Any]) -> None:
    networks = project.pack("p", 0, 1, 2, diverged=(2,))
    whole = project.evaluation(project.suite(project.dataset("d"), project.dataset("e")), "p")
    pack, suite = [project.path("packs", "p", ".json")], project.path("suites", whole.suite, ".json")
    assert networks_to_score(whole, pack, suite, project.results) == networks[:2], "one that diverged has no scores"
    for ahead in (1, 0):
        alone = EvaluationSpec(networks=(networks[ahead],), suite=whole.suite)
        evaluate(alone, pack, suite, project.results, project.path("evaluations", alone.id), device="cpu")
        assert networks_to_score(whole, pack, suite, project.results) == networks[:ahead]
    computed.clear()
    gathered = project.evaluate("p", whole.suite)
    assert not computed
    for path in project.path("evaluations", whole.id).parent.iterdir():
        path.unlink()
    xr.testing.assert_equal(gathered, project.evaluate("p", whole.suite))
    assert computed


def test_known_cells_are_copied(project: Project, computed: list[Any]) -> None:
    suite = project.suite(project.dataset("d1"), project.dataset("d2"))
    project.pack("p", 0, 1)
    first = project.evaluate("p", suite)
    assert len(computed) == 4
    # one network more
    project.pack("q", 0, 1, 2)
    second = project.evaluate("q", suite)
    assert len(computed) == 6
    assert (first.attrs["computed_share"], second.attrs["computed_share"]) == (1, pytest.approx(1 / 3, abs=1e-6))
    xr.testing.assert_identical(second.isel(network=[0, 1]).drop_attrs(), first.drop_attrs())
    # one dataset more, in another order
    third = project.evaluate("p", project.suite(project.dataset("d3"), "d2", "d1"))
    assert len(computed) == 8
    for name in ("d1", "d2"):
        np.testing.assert_array_equal(third.f1.sel(condition=name), first.f1.sel(condition=name))


def test_scores_of_another_precision_are_not_copied(project: Project, computed: list[Any]) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    exact = project.evaluate("p", suite)
    rounded = project.evaluate("p", suite, "bfloat16")
    assert len(computed) == 2
    assert (exact.attrs["numeric_precision"], rounded.attrs["numeric_precision"]) == ("float32", "bfloat16")
    difference = abs(rounded.cross_entropy - exact.cross_entropy)
    assert 0 < difference.max() < 0.1
    # on a CPU, TF32 is float32, but it is told apart
    xr.testing.assert_equal(project.evaluate("p", suite, "tf32").drop_attrs(), exact.drop_attrs())
    assert len(computed) == 3
    # each is copied to a larger pack of its own precision
    networks = project.pack("q", 0, 1)
    for precision, expected in (("bfloat16", rounded), ("float32", exact)):
        found = project.evaluate("q", suite, precision)
        xr.testing.assert_equal(found.sel(network=networks[:1]).drop_attrs(), expected.drop_attrs())
    assert len(computed) == 5


def test_evaluations_that_do_not_tell_their_precision_are_of_float32(project: Project, computed: list[Any]) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    stored = project.evaluate("p", suite)
    (path,) = (project.results / "evaluations").iterdir()
    attributes = {key: value for key, value in stored.attrs.items() if key != "numeric_precision"}
    store.write_zarr(path, stored.drop_attrs(), attributes)
    project.pack("q", 0, 1)
    project.evaluate("q", suite)
    assert len(computed) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_tf32_is_on_for_forward_passes_only(fails: bool) -> None:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    with reproducible():
        with (
            contextlib.nullcontext() if not fails else pytest.raises(ZeroDivisionError),
            forward_precision("tf32", torch.device("cpu")),
        ):
            assert (cudnn.allow_tf32, matmul.allow_tf32) == (True, True)
            assert 1 / (not fails)
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (False, False)


def test_copies_come_from_the_other_file(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    networks = project.pack("p", 0)
    poisoned = project.evaluate("p", suite)
    poisoned["f1"][:] = 0.123
    store.write_zarr(next((project.results / "evaluations").iterdir()), poisoned, {})
    project.pack("q", 0, 1)
    found = project.evaluate("q", suite)
    np.testing.assert_array_equal(found.f1.sel(network=networks[0]), np.float32(0.123))
    assert not (found.f1.isel(network=1) == np.float32(0.123)).any()


@pytest.mark.parametrize("change", ["version", "weights", "dataset"])
def test_what_is_not_the_same_is_computed(
    project: Project, computed: list[Any], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = project.suite(project.dataset("d"))
    (network,) = project.pack("p", 0)
    project.evaluate("p", suite)
    if change == "version":
        monkeypatch.setattr(EvaluationSpec, "version", EvaluationSpec.version + 1)
    if change == "weights":
        path = project.path("networks", network, ".ckpt")
        state = {name: value + 1 for name, value in read_network(path)["state_dict"].items()}
        spec = NetworkSpec.model_validate_json(read_network(path)["parameters"])
        entry = write_network(path, spec, TrainingOutcome(state, 0, 0.5), TRAINED_ON, seconds=0, device="cpu")
        store.write_json(project.path("packs", "q", ".json"), {"id": "q", "networks": {network: entry}})
    else:
        project.pack("q", 0)
    if change == "dataset":
        path = project.path("datasets", "d")
        stored = store.read_zarr(path)
        stored["counts"] += 1
        digest = store.arrays_sha256(stored.counts.values, stored.label.values)
        store.write_zarr(path, stored, {"sha256_of_images": digest})
        project.suite("d")
    project.evaluate("q", suite)
    assert len(computed) == 2


def test_an_unreadable_evaluation_is_passed_over(
    project: Project, computed: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    project.evaluate("p", suite)
    (whole,) = (project.results / "evaluations").iterdir()
    path = whole.rename(whole.with_name("damaged.zarr.zip"))
    path.write_bytes(path.read_bytes()[:100])
    store.write_zarr(
        path.with_name("a-foreign.zarr.zip"), xr.Dataset(), {"id": "a-foreign", "stage_version": EvaluationSpec.version}
    )
    project.evaluate("p", suite)
    assert len(computed) == 2
    told = capsys.readouterr().err
    assert f"{path} is skipped" in told
    assert "a-foreign.zarr.zip is skipped" in told


def test_a_diverged_network_scores_nan(project: Project, computed: list[Any]) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0, 1, diverged=(0,))
    found = project.evaluate("p", suite)
    assert len(computed) == 1
    assert np.isnan(found.f1.isel(network=0)).all()
    assert np.isfinite(found.f1.isel(network=1)).all()


def test_a_missing_network_is_an_error_that_tells_what_to_do(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    (network,) = project.pack("p", 0)
    project.path("networks", network, ".ckpt").unlink()
    with pytest.raises(ArtifactError, match=rf"{network}\.ckpt is missing, but .*p\.json lists it. Delete .*p\.json"):
        project.evaluate("p", suite)
    assert not (project.results / "evaluations").exists()


def test_other_weights_than_the_pack_lists_are_an_error(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    path = project.path("packs", "p", ".json")
    listed = json.loads(path.read_text())
    next(iter(listed["networks"].values()))["sha256_of_weights"] = "0" * 64
    store.write_json(path, listed)
    with pytest.raises(ArtifactError, match=r"holds other weights than .*p\.json lists"):
        project.evaluate("p", suite)


def test_inputs_must_be_those_of_the_spec(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    (network,) = project.pack("p", 0)
    paths = [project.path("packs", "p", ".json")], project.path("suites", suite, ".json")
    too_many = EvaluationSpec(networks=(network, "q"), suite=suite)
    with pytest.raises(ArtifactError, match=r"needs q, which .*p\.json does not list"):
        evaluate(too_many, *paths, project.results, project.results / "o", device="cpu")
    foreign = EvaluationSpec(networks=(network,), suite="other")
    with pytest.raises(ArtifactError, match=rf"needs other, not .*{suite}\.json"):
        evaluate(foreign, *paths, project.results, project.results / "o", device="cpu")
    with pytest.raises(ArtifactError, match="needs the datasets d, e, not d"):
        index_suite(SuiteSpec(datasets=("d", "e")), [project.path("datasets", "d")], project.results / "s.json")


def test_a_dataset_that_changed_size_is_an_error(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    path = project.path("datasets", "d")
    fewer = store.read_zarr(path).isel(image=slice(3))
    store.write_zarr(path, fewer, {"sha256_of_images": store.arrays_sha256(fewer.counts.values, fewer.label.values)})
    with pytest.raises(ArtifactError, match=rf"d\.zarr\.zip holds other images than when .*{suite}\.json was written"):
        project.evaluate("p", suite)
    path.unlink()
    with pytest.raises(ArtifactError, match=rf"d\.zarr\.zip is missing, .* Delete .*{suite}\.json"):
        project.evaluate("p", suite)


def remake(project: Project, name: str, device: str, software: dict[str, str], **more: str) -> None:
    """Make a dataset again on a device, where one count comes out another by rounding."""
    path = project.path("datasets", name)
    dataset = store.read_zarr(path)
    dataset.counts[0, 0, 0] += 1
    told = {"sha256_of_images": store.arrays_sha256(dataset.counts.values, dataset.label.values)}
    store.write_zarr(path, dataset, told | {"device": device, "software": json.dumps(software)} | more)


@pytest.mark.parametrize(
    ("device", "software", "more"),
    [
        ("NVIDIA H100", {"cupy-cuda13x": "14.2.0", "torch": "2.13"}, {}),
        ("unknown", {"NVIDIA driver": "580"}, {}),
        ("unknown", {}, {"inputs_made_on": "NVIDIA H100; cupy-cuda13x 14.2.0"}),
    ],
    ids=["another device", "another driver", "waves of another device"],
)
def test_a_dataset_of_another_device_is_scored_as_it_is(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    device: str,
    software: dict[str, str],
    more: dict[str, str],
) -> None:
    suite = project.suite(project.dataset("d"), project.dataset("e"))
    project.pack("p", 0)
    before = project.evaluate("p", suite)
    remake(project, "d", device, software, **more)
    after = project.evaluate("p", suite)
    assert "d.zarr.zip was created again on" in capsys.readouterr().err
    digests, now = json.loads(before.datasets), json.loads(after.datasets)
    assert digests["d"] != now["d"] == store.zarr_attributes(project.path("datasets", "d"))["sha256_of_images"]
    assert digests["e"] == now["e"]
    change = np.abs(after.cross_entropy - before.cross_entropy).max("image").squeeze("network")
    assert float(change.sel(condition="d")) > float(change.sel(condition="e")) == 0


def test_a_dataset_that_was_exchanged_is_an_error(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    project.pack("p", 0)
    # other versions of what computes on the CPU do not change counts
    remake(project, "d", "unknown", {"torch": "1.0", "hrtem-ood": "0.0"})
    with pytest.raises(ArtifactError, match=rf"d\.zarr\.zip holds other images than when .*{suite}\.json was written"):
        project.evaluate("p", suite)


def test_a_suite_tells_when_its_datasets_change(project: Project) -> None:
    suite = project.suite(project.dataset("d1"), project.dataset("d2"))
    path = project.path("suites", suite, ".json")
    before = store.read_json(path)["datasets"]
    assert {name: entry["images"] for name, entry in before.items()} == {"d1": IMAGES, "d2": IMAGES}
    stored = store.read_zarr(project.path("datasets", "d2"))
    stored["counts"][0, 0, 0] += 1
    digest = store.arrays_sha256(stored.counts.values, stored.label.values)
    store.write_zarr(project.path("datasets", "d2"), stored, {"sha256_of_images": digest})
    project.suite("d1", "d2")
    after = store.read_json(path)["datasets"]
    assert after["d1"] == before["d1"]
    assert after["d2"]["sha256"] != before["d2"]["sha256"]


def test_weights_are_dropped_when_every_suite_is_scored(project: Project, computed: list[Any]) -> None:
    one, other = project.suite(project.dataset("d1")), project.suite(project.dataset("d2"))
    networks = project.pack("p", 0, 1, diverged=(1,))
    path, lost = (project.path("networks", id_, ".ckpt") for id_ in networks)
    evaluations = [project.path("evaluations", project.evaluation(suite, "p").id) for suite in (one, other)]
    told = read_network(path)
    project.evaluate("p", one)
    drop_scored_weights(networks, evaluations, project.results, "mine")
    assert read_network(path)["state_dict"], "the other suite needs them"
    project.evaluate("p", other)
    drop_scored_weights(networks, evaluations, project.results, "mine")
    after = read_network(path)
    assert after["state_dict"] == {}
    assert {key: after[key] for key in ("curves", "sha256_of_weights", "trained_on", "parameters")} == {
        key: told[key] for key in ("curves", "sha256_of_weights", "trained_on", "parameters")
    }
    assert read_network(lost)["diverged"]
    # what was scored is known still, also beside other networks, and dropping twice does no harm
    before = len(computed)
    project.pack_of("q", networks[:1])
    project.evaluate("q", project.suite("d1", "d2"))
    drop_scored_weights(networks, evaluations, project.results, "mine")
    assert len(computed) == before
    # what is new is not
    with pytest.raises(ArtifactError, match=rf"p\.json: network {networks[0]} keeps no weights"):
        project.evaluate("p", project.suite(project.dataset("d3")))


def test_networks_of_several_packs_are_tested_together(project: Project) -> None:
    suite = project.suite(project.dataset("d1"))
    project.pack("p", 0, 1)
    project.pack("q", 2)
    together = project.evaluate(("p", "q"), suite)
    alone = [project.evaluate(pack, suite) for pack in ("p", "q")]
    assert together.drop_attrs().equals(xr.concat(alone, "network").drop_attrs())


def test_weights_that_another_campaign_asks_for_are_kept(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    suite = project.suite(project.dataset("d"))
    one, other = project.pack("p", 0, 1)
    for name, asked in (("mine", other), ("theirs", one)):
        rows = f"stage,id,path,names\nnetworks,{asked},x,n\npacks,{other},y,n\ntransfer,t,z,{name}\n"
        store.write_table(project.results / f"indexes/{name}-0.csv", rows)
    project.evaluate("p", suite)
    evaluations = [project.path("evaluations", project.evaluation(suite, "p").id)]
    drop_scored_weights([one, other], evaluations, project.results, "mine")
    assert read_network(project.path("networks", one, ".ckpt"))["state_dict"]
    assert read_network(project.path("networks", other, ".ckpt"))["weights_dropped"]
    assert f"{one} keeps its weights: campaign theirs uses it, too" in capsys.readouterr().err


def index_text(name: str, *networks: str) -> str:
    """Write an index as the stage does, in few rows."""
    rows = [["stage", "id", "path", "names", "parameters"]]
    rows += [["networks", each, "x", "n", "{}"] for each in networks]
    rows += [["evaluations", "e", "x", "n", json.dumps({"networks": networks})], ["transfer", "t", "x", name, "{}"]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def test_an_index_that_is_not_whole_keeps_all_networks(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever it is cut or damaged: it may have told of any network."""
    suite = project.suite(project.dataset("d"))
    one, other = project.pack("p", 0, 1)
    project.evaluate("p", suite)
    evaluations = [project.path("evaluations", project.evaluation(suite, "p").id)]
    path = project.results / "indexes/theirs-0123456789.csv"
    store.write_table(path, index_text("theirs", one))
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    bad = [whole[:length] for length in range(len(whole))]
    bad += [b"".join(lines[:drop] + lines[drop + 1 :]) for drop in range(len(lines))]
    bad += [
        whole.replace(one.encode(), other.encode(), 1),
        whole.replace(b"theirs", b"mine"),
        b"\xff" + whole,
        b"\0" * 99,
    ]
    for content in bad:
        store.write_bytes(path, content)
        with pytest.raises(ArtifactError, match=r"theirs-0123456789.csv is damaged"):
            networks_used_elsewhere(project.results, "mine")
    drop_scored_weights([one, other], evaluations, project.results, "mine")
    for link in (None, project.results / "elsewhere"):
        if link is not None:
            path.write_bytes(whole)
            (project.results / "networks").rename(link)
            (project.results / "networks").symlink_to(link)
            drop_scored_weights([one, other], evaluations, project.results, "mine")
        assert all(read_network(project.path("networks", id_, ".ckpt"))["state_dict"] for id_ in (one, other))
    said = capsys.readouterr().err
    assert f"all networks keep their weights, as another campaign may use them: {path} is damaged" in said
    assert "networks is a link, so other results folders may share them" in said
    (project.results / "networks").unlink()
    link.rename(project.results / "networks")
    drop_scored_weights([one, other], evaluations, project.results, "mine")
    assert read_network(project.path("networks", one, ".ckpt"))["state_dict"]
    assert read_network(project.path("networks", other, ".ckpt"))["weights_dropped"]


def test_each_network_scores_alike_alone_and_beside_others(project: Project) -> None:
    suite = project.suite(project.dataset("d1"), project.dataset("d2"))
    project.pack("p", 0, 1, 2)
    together = project.evaluate("p", suite)
    for path in (project.results / "evaluations").iterdir():
        path.unlink()
    (alone,) = project.pack("q", 1)
    xr.testing.assert_identical(project.evaluate("q", suite).drop_attrs(), together.sel(network=[alone]).drop_attrs())


def test_each_dataset_scores_alike_alone_and_beside_others(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [project.dataset(f"d{number}") for number in range(5)]
    project.pack("p", 0, 1)
    # two datasets together, and batches of two images
    monkeypatch.setitem(stage.PIXELS, "cpu", 2 * IMAGES * 16**2)
    monkeypatch.setattr(stage, "batch_size", lambda _side, _device: 2)
    together = project.evaluate("p", project.suite(*names))
    for name in names:
        for path in (project.results / "evaluations").iterdir():
            path.unlink()
        alone = project.evaluate("p", project.suite(name))
        xr.testing.assert_identical(alone.drop_attrs(), together.sel(condition=[name]).drop_attrs())


def test_weights_of_half_precision_are_tested_as_they_are_stored(project: Project) -> None:
    suite = project.suite(project.dataset("d"))
    (network,) = project.pack("p", 0, stored_dtype="bfloat16")
    content = read_network(project.path("networks", network, ".ckpt"))
    assert {tensor.dtype for tensor in content["state_dict"].values() if tensor.ndim > 1} == {torch.bfloat16}
    found = project.evaluate("p", suite)
    for image in range(IMAGES):
        value = float(found.f1.sel(network=network, condition="d", image=image))
        assert value == pytest.approx(expected_f1(project, network, "d", image), abs=1e-6)


def test_a_lack_of_memory_names_the_network(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = project.suite(project.dataset("d"))
    (network,) = project.pack("p", 0)

    def fail(*_: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: 8 bytes")

    monkeypatch.setattr(stage, "scores", fail)
    with pytest.raises(DeviceError, match=rf"evaluating network {network}: out of memory on the CPU"):
        project.evaluate("p", suite)


@pytest.mark.parametrize(("side", "images"), [(32, 128), (128, 8), (640, 1), (4096, 1)])
def test_batches_hold_a_bounded_number_of_pixels(side: int, images: int) -> None:
    assert stage.batch_size(side, torch.device("cpu")) == images


def test_the_code_of_an_architecture_comes_from_the_configuration_alone(project: Project) -> None:
    """A network's file names another file, or a command: neither is run; what the configuration names is."""
    source = Path(__file__).parents[4] / "config/architectures/dilated.py"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    chosen = {"name": "Dilated", "file": str(source), "sha256": digest, "parameters": {"channels": 2, "blocks": 1}}
    spec = NetworkSpec(training_set="t", hyperparameters={"epochs": 1, "architecture": chosen})
    architecture = spec.hyperparameters.architecture
    trained = TrainingOutcome(build(architecture).state_dict(), 0, 0.5)
    path = project.path("networks", spec.id, ".ckpt")
    entry = write_network(path, spec, trained, TRAINED_ON, seconds=0, device="cpu")
    store.write_json(project.path("packs", "own", ".json"), {"id": "own", "networks": {spec.id: entry}})
    suite = project.suite(project.dataset("d1"))
    evaluation = project.evaluation(suite, "own")
    output = project.path("evaluations", evaluation.id)
    inputs = ([project.path("packs", "own", ".json")], project.path("suites", suite, ".json"), project.results, output)

    def rewrite(**changes: Any) -> None:
        content = store.read_checkpoint(path)
        store.write_checkpoint(path, content | {"architecture": content["architecture"] | changes})

    with pytest.raises(ConfigError, match="A checkpoint does not choose what is run"):
        evaluate(evaluation, *inputs, device="cpu")
    rewrite(file="/no/such/file.py")  # trained elsewhere
    evaluate(evaluation, *inputs, device="cpu", architectures={spec.id: architecture})
    assert np.isfinite(store.read_zarr(output).f1.values).any()
    output.unlink()
    for changes in ({"name": "system", "file": os.__file__}, {"sha256": "0" * 64}, {"parameters": {}}):
        rewrite(**changes)
        with pytest.raises(ArtifactError, match=r"own.json: .* has another architecture than in the configuration"):
            evaluate(evaluation, *inputs, device="cpu", architectures={spec.id: architecture})
        rewrite(**chosen)
