"""The metrics store against references computed cell by cell from the rule that made the synthetic scores."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from hrtem_ood.analysis import metrics as metrics_module
from hrtem_ood.analysis import ood_gap
from hrtem_ood.analysis.gather import network_order
from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.packs import split_into_packs, trie_key
from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages.metrics import metrics as run_metrics


@pytest.fixture(scope="module")
def metrics(synthetic: Any) -> xr.Dataset:
    return synthetic.gathered()


def defoci(synthetic: Any, network: str) -> list[float]:
    """Training defoci of a network, by its id."""
    campaign = synthetic.campaign
    training_set = campaign.training_set_by_id[campaign.networks[network].training_set]
    return sorted(campaign.datasets[id_].condition.defocus_A for id_ in training_set.datasets)


def expected_f1(trained: list[float], tested: float, seed: int) -> float:
    """Mean over images 0, 1, 2 of the rule that the synthetic scores follow."""
    return 0.9 - min(abs(tested - defocus) for defocus in trained) / 500 - 0.01 * seed + 0.005


def test_every_network_meets_every_test_condition(synthetic: Any, metrics: xr.Dataset) -> None:
    assert metrics.f1.dims == ("network", "condition", "image")
    assert metrics.f1.shape == (6, 3, 3)
    assert list(metrics.defocus_A.values) == [-100, 0, 100]
    assert set(metrics.network.values) == set(synthetic.campaign.networks)
    for network in metrics.network.values:
        row = metrics.sel(network=network)
        for column in range(3):
            cell = row.isel(condition=column)
            trained, tested = defoci(synthetic, network), float(cell.defocus_A)
            f1 = expected_f1(trained, tested, int(cell.seed))
            inside = [expected_f1(trained, defocus, int(cell.seed)) for defocus in trained]
            assert float(cell.mean_f1) == pytest.approx(f1, abs=1e-6)
            assert float(cell.mean_cross_entropy) == pytest.approx(1 - f1, abs=1e-6)
            assert float(cell.gap_f1) == pytest.approx(f1 - np.mean(inside), abs=1e-6)
            assert float(cell.gap_cross_entropy) == pytest.approx(np.mean(inside) - f1, abs=1e-6)
            assert bool(cell.in_domain) == (tested in trained)
            assert float(cell.abs_delta_defocus_A) == min(abs(tested - defocus) for defocus in trained)


def test_networks_carry_what_they_were_trained_on(synthetic: Any, metrics: xr.Dataset) -> None:
    for network in metrics.network.values:
        one, trained = metrics.sel(network=network), defoci(synthetic, network)
        assert bool(one.mixed) == (len(trained) == 2)
        assert int(one.training_conditions) == len(trained)
        assert one.training_set.item() == ("mixed" if len(trained) == 2 else "single")
        if len(trained) == 1:
            assert float(one.training_defocus_A) == trained[0]
            assert one.training_label.item() == f"Δf {trained[0]:+g} Å, 400 e/Å², focal spread 20 Å".replace("-", "−")
        else:
            assert np.isnan(one.training_defocus_A)
            assert one.training_label.item() == "mixture of 2 conditions"
        assert float(one.best_val_loss) == pytest.approx(0.1 + 0.01 * int(one.seed))
        assert not one.diverged
        assert one.architecture.item() == "unet(base_channels=8, depth=3)"
        assert (one.epochs, one.epochs_trained, one.parameter_count, one.flops_per_image) == (1, 1, 1234, 5_000_000)
        assert np.isnan(one.steps), "not set"
        assert one.training_images == 4
    assert metrics.training_defocus_A.attrs["units"] == "Å"
    assert "training_dose_e_per_A2" not in metrics.coords  # the same everywhere


def test_conditions_carry_their_parameters(synthetic: Any, metrics: xr.Dataset) -> None:
    for id_ in metrics.condition.values:
        one, condition = metrics.sel(condition=id_), synthetic.campaign.datasets[id_].condition
        assert one.label.item() == condition.label
        for name in Condition.model_fields:
            value = getattr(condition, name)
            assert float(one[name]) == (np.inf if value is None else value)
        assert one.structure_set.item() == "test"
        assert one.suites.item() == "test"


def test_transfer_is_looked_up_by_condition(synthetic: Any, metrics: xr.Dataset) -> None:
    campaign = synthetic.campaign
    transfer = store.read_zarr(synthetic.path("transfer", campaign.transfer.id))
    index = {condition.defocus_A: number for number, condition in enumerate(campaign.transfer.conditions)}
    for network in metrics.network.values:
        for id_ in metrics.condition.values:
            tested = campaign.datasets[id_].condition.defocus_A
            seen = [float(transfer.sigma[index[defocus], index[tested]]) for defocus in defoci(synthetic, network)]
            assert float(metrics.sigma.sel(network=network, condition=id_)) == pytest.approx(max(seen))
    np.testing.assert_allclose(metrics.epsilon, [transfer.epsilon[index[defocus]] for defocus in (-100, 0, 100)])
    assert list(metrics.minimum_contrast.values) == [False, True, False]


def test_the_artifact_carries_the_campaign(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    path = made.metrics
    run_metrics(made.campaign, made.results)
    attributes = store.zarr_attributes(path)
    assert attributes["id"] == made.campaign.metrics_id
    assert attributes["stage"] == "metrics"
    assert json.loads(attributes["parameters"])["campaign"] == "synthetic"
    found = read_metrics(made.campaign, made.results)
    assert "f1" not in found  # scores per image stay in the file
    assert found.mean_f1.shape == (6, 3)
    with store.open_zarr(path) as whole:
        assert whole.f1.shape == (6, 3, 3)
        assert whole.f1.dtype == np.float32


def test_metrics_of_another_configuration_are_not_taken(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    run_metrics(made.campaign, made.results)
    changed = make(config | {"imaging": {"pixel_size_A": 0.8}})
    with pytest.raises(ArtifactError, match=rf"{changed.metrics.name} is missing. Run snakemake"):
        read_metrics(changed.campaign, changed.results)


def test_sets_of_different_size_are_padded_and_shared_datasets_counted_once(
    make: Callable[..., Any], config: dict[str, Any]
) -> None:
    config["structure_sets"]["other"] = config["structure_sets"]["test"] | {"n_structures": 2, "seed": 3}
    config["test_suites"]["again"] = {"structure_set": "test", "conditions": ["focus"]}
    config["test_suites"]["other"] = {"structure_set": "other", "conditions": ["trained"]}
    made = make(config)
    found = made.gathered()
    assert found.f1.shape == (6, 5, 3)
    assert list(found.structure_set.values) == ["test"] * 3 + ["other"] * 2
    assert list(found.images.values) == [3, 3, 3, 2, 2]
    assert list(found.suites.values) == ["test", "test, again", "test", "other", "other"]
    padded = np.isnan(found.f1.values)
    assert padded[:, 3:, 2].all()
    assert padded.sum() == 6 * 2
    assert np.isfinite(found.mean_f1.values).all()
    # each structure set has its own in-domain reference: here, the mean over its images 0 and 1 only
    single = found.mixed.values == False  # noqa: E712  # elementwise
    inside = found.in_domain.values & single[:, None]
    np.testing.assert_allclose(found.gap_f1.values[inside], 0, atol=1e-7)


def test_networks_without_an_in_domain_test_have_no_gap(
    make: Callable[..., Any], config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config["test_suites"]["test"]["conditions"] = ["focus"]
    made = make(config)
    found = made.gathered()
    assert np.isnan(found.gap_f1.values).all()
    assert "6 networks of training sets mixed, single are tested on no in-domain dataset" in capsys.readouterr().err


@pytest.mark.slow
def test_diverged_networks_are_left_out_of_cells(make: Callable[..., Any], config: dict[str, Any]) -> None:
    campaign = make(config).campaign
    single = campaign.training_sets["single"]
    lost = [network.id for network in campaign.networks.values() if network.training_set == single[0].id]
    half = next(network.id for network in campaign.networks.values() if network.training_set == single[1].id)

    def rule(network: Any, *_: Any) -> float:
        return float("nan") if network.id in (*lost, half) else 0.5

    made = make(config, rule=rule, diverged=(*lost, half))
    run_metrics(made.campaign, made.results)
    found = read_metrics(made.campaign, made.results)
    assert set(found.network.values[found.diverged.values]) == {*lost, half}
    assert np.isnan(found.best_val_loss.sel(network=half))
    reduced = aggregate_by_training_set(made.campaign, found).set_index(training_set="training_set")
    assert np.isnan(reduced.f1.sel(training_set=single[0].id)).all()
    assert (reduced.f1.sel(training_set=single[1].id) == 0.5).all()
    assert reduced.networks.sel(training_set=single[0].id) == 0
    assert reduced.diverged.sel(training_set=single[1].id) == 1


@pytest.mark.slow
@pytest.mark.parametrize("tested_together", [1, 3, 64])
def test_scores_per_image_are_those_of_the_evaluations_however_networks_are_grouped(
    make: Callable[..., Any], config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tested_together: int
) -> None:
    monkeypatch.setattr(metrics_module, "NETWORKS", 4)
    config["networks"]["unet"]["seed"] = list(range(3))
    config["structure_sets"]["other"] = config["structure_sets"]["test"] | {"n_structures": 2, "seed": 3}
    config["test_suites"]["other"] = {"structure_set": "other", "conditions": ["focus"]}
    config["execution"]["networks_per_evaluation"] = tested_together
    made = make(config)
    found = made.gathered()
    assert found.sizes["network"] == 9
    assert list(found.network.values) == network_order(made.campaign), "the same for every grouping"
    assert set(found.network.values) == set(made.campaign.networks)
    seen = 0
    for id_ in made.campaign.evaluations:
        evaluation = store.read_zarr(made.path("evaluations", id_))
        cells = {"network": evaluation.network.astype(object), "condition": evaluation.condition.astype(object)}
        for name in METRICS:
            there = found[name].sel(cells).isel(image=slice(evaluation.sizes["image"]))
            np.testing.assert_array_equal(there, evaluation[name])
            np.testing.assert_allclose(found[f"mean_{name}"].sel(cells), evaluation[name].mean("image"), rtol=1e-6)
            seen += there.size
    assert seen == sum(int(np.isfinite(found[name]).sum()) for name in METRICS)
    assert list(read_metrics(made.campaign, made.results).network.values) == list(made.campaign.networks)


def test_groups_of_any_size_are_neighbours_in_the_order_of_their_keys() -> None:
    networks = [
        NetworkSpec(training_set="t", hyperparameters={"architecture": {"name": "unet"}, "epochs": 1, "seed": seed})
        for seed in range(60)
    ]
    place = {id(network): index for index, network in enumerate(sorted(networks, key=trie_key))}
    for largest in (1, 2, 7, 30, 60):
        groups = [sorted(place[id(network)] for network in group) for group in split_into_packs(networks, largest)]
        assert all(group == list(range(group[0], group[-1] + 1)) for group in groups)
        assert sorted(index for group in groups for index in group) == list(range(60))


def test_a_missing_evaluation_is_named(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    path = made.path("evaluations", next(iter(made.campaign.evaluations)))
    path.unlink()
    with pytest.raises(ArtifactError, match=rf"{path.name} is missing. Run snakemake"):
        run_metrics(made.campaign, made.results)


def test_an_evaluation_of_other_networks_is_refused(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    first, second = list(made.campaign.evaluations)[:2]
    foreign = store.read_zarr(made.path("evaluations", second))
    store.write_zarr(made.path("evaluations", first), foreign, {"id": first})
    with pytest.raises(ArtifactError, match=rf"{first}.* holds scores of other networks"):
        run_metrics(made.campaign, made.results)


def test_a_pack_that_lacks_a_network_is_refused(make: Callable[..., Any], config: dict[str, Any]) -> None:
    made = make(config)
    id_ = next(iter(made.campaign.packs))
    content = store.read_json(made.path("packs", id_))
    store.write_json(made.path("packs", id_), content | {"networks": {}})
    with pytest.raises(ArtifactError, match=rf"{id_}.* has no entry for network"):
        run_metrics(made.campaign, made.results)


def test_gap_by_hand() -> None:
    mean = np.array([[0.9, 0.7, 0.5, 0.4], [0.8, 0.6, 0.2, 0.3]])
    in_domain = np.array([[True, False, True, False], [True, True, False, False]])
    groups = np.array(["a", "a", "b", "b"], dtype=object)
    # the second network has no in-domain dataset in b: its reference is the mean of those in a
    expected = [[0, -0.2, 0, -0.1], [0.1, -0.1, -0.5, -0.4]]
    np.testing.assert_allclose(ood_gap.gap(mean, in_domain, groups), expected, atol=1e-7)
    assert np.isnan(ood_gap.gap(mean, np.zeros_like(in_domain), groups)).all()


def test_predictors_of_mixtures_are_those_of_the_nearest_condition() -> None:
    sigma = np.array([[1, 0.5, 0.2], [0.5, 1, 0.7], [0.2, 0.7, 1]])
    np.testing.assert_allclose(
        ood_gap.largest_sigma(sigma, [[0], [0, 2]], [0, 1, 2]), [[1, 0.5, 0.2], [1, 0.7, 1]], atol=1e-7
    )
    a, b, c = (Condition(defocus_A=defocus, dose_e_per_A2=400) for defocus in (-100, 20, 50))
    np.testing.assert_array_equal(ood_gap.smallest_defocus_change([[a], [a, c]], [b, c]), [[120, 150], [30, 0]])


def test_minimum_contrast_is_relative_to_the_campaign() -> None:
    epsilon = np.array([0.0, 0.14, 0.16, 0.3, 0.3])
    np.testing.assert_array_equal(ood_gap.minimum_contrast(epsilon, np.full(5, 0.3)), epsilon < 0.15)
