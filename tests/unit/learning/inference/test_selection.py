"""Choice among networks without labels: evidence counted by hand, what must not matter, the estimate and its intervals."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr
from tests.unit.learning.inference.conftest import noise, random_network
from torch import nn

from hrtem_ood.cli.render.select import verdict
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.score_micrographs import load_networks
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork
from hrtem_ood.learning.inference.selection import select_networks as module
from hrtem_ood.learning.inference.selection.boosted_fit import (
    AGREEMENT,
    ALONE,
    FALLING,
    RISING,
    TOGETHER,
    evidence_columns,
    held_out,
)
from hrtem_ood.learning.inference.selection.calibration import (
    COLUMNS,
    HELD_OUT,
    checked,
    read_calibration,
    write_calibration,
)
from hrtem_ood.learning.inference.selection.campaign_cells import SMALLEST_POOL, image_rows, pools
from hrtem_ood.learning.inference.selection.collect import CROP_PX, MEAN, Collected, prepare
from hrtem_ood.learning.inference.selection.consensus import agreement, dice, weighted_consensus
from hrtem_ood.learning.inference.selection.domain_match import ImageCondition, defocus_gap, dose_gap, image_condition
from hrtem_ood.learning.inference.selection.estimator import LEVEL, F1Estimator
from hrtem_ood.learning.inference.selection.evidence import (
    EVIDENCE,
    MATCH,
    NormShift,
    View,
    gather_evidence,
    recipe,
    view,
)
from hrtem_ood.learning.inference.selection.perturbations import (
    BLUR_A,
    DEFOCUS_A,
    PERTURBATIONS,
    add_noise,
    blur,
    defocus,
    noise_deviation,
)
from hrtem_ood.learning.inference.selection.select_networks import conclude, interval, select_networks, spread
from hrtem_ood.physics.optics.condition import Condition

WAVELENGTH_A = 0.0197
UNKNOWN = ImageCondition(math.nan, math.nan, math.nan)
MATCHED = dict.fromkeys(MATCH, 0.5)


def made_up(rng, networks=10, conditions=10, images=3):
    """Return a calibration whose F1 is the mean of two kinds of evidence, with noise."""
    rows = [
        {"network": f"n{n}", "dataset": f"d{c}", "condition": f"c{c}", "image": i, "pool": 1000 * c + i}
        | dict.fromkeys(EVIDENCE, 0.5)
        | {"quality": quality}
        for n in range(networks)
        for c in range(conditions)
        for quality in [rng.uniform()]
        for i in range(images)
    ]
    table = pd.DataFrame(rows)
    for name in ("consensus", "noise"):
        table[name] = np.clip(table.quality + rng.normal(0, 0.1, len(table)), 0, 1)
    return table.assign(f1=table.quality)[list(COLUMNS)]


@pytest.fixture(scope="module")
def estimator():
    return F1Estimator(made_up(np.random.default_rng(1)), "made up")


class AboveMean(nn.Module):
    """Takes what is brighter than the mean of the image by a threshold for particles."""

    def __init__(self, threshold=0.0, sign=1.0):
        super().__init__()
        self.threshold, self.sign = threshold, sign

    def forward(self, image):
        return torch.cat([torch.zeros_like(image), 4 * (self.sign * image - self.threshold)], dim=1)


def trained(name, pixel_size_A=0.4, side_px=64, **options):
    domain = TrainingDomain((), energy_eV=300e3, pixel_size_A=pixel_size_A, side_px=side_px)
    return TrainedNetwork(name, AboveMean(**options), domain, 0.1)


def test_the_noise_of_an_image_is_estimated_beside_a_slope():
    y, x = np.mgrid[:200, :200]
    image = np.random.default_rng(0).normal(0, 3, (200, 200)) + 0.2 * x + 0.001 * y**2
    assert noise_deviation(image.astype(np.float32)) == pytest.approx(3, rel=0.02)
    assert noise_deviation((image * 7).astype(np.float32)) == pytest.approx(21, rel=0.02)


def test_added_noise_is_as_strong_as_there_is():
    image = np.random.default_rng(0).normal(0, 3, (200, 200)).astype(np.float32)
    assert noise_deviation(add_noise(image, 0.4, WAVELENGTH_A)) == pytest.approx(3 * math.sqrt(2), rel=0.02)


def fringes(spacing_A, pixel_A=0.25, side=200):
    """Return even fringes along x: a single cosine of type II."""
    order = round(2 * side * pixel_A / spacing_A)
    x = np.arange(side) + 0.5
    return np.tile(np.cos(np.pi * order * x / side), (side, 1)).astype(np.float32), order / (2 * side * pixel_A)


def test_defocus_multiplies_fringes_by_its_cosine():
    image, frequency = fringes(2.5)
    factor = math.cos(math.pi * WAVELENGTH_A * DEFOCUS_A * frequency**2)
    assert defocus(image, 0.25, WAVELENGTH_A) == pytest.approx(factor * image, abs=1e-5)


def test_blur_damps_fringes_as_a_gaussian_does():
    image, frequency = fringes(2.5)
    factor = math.exp(-2 * (math.pi * BLUR_A * frequency) ** 2)
    middle = (slice(None), slice(20, -20))
    assert blur(image, 0.25, WAVELENGTH_A)[middle] == pytest.approx(factor * image[middle], abs=5e-3)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_maps_of_changed_images_come_back_to_the_pixels_of_the_image(name):
    image = noise(40, 56).astype(np.float32)
    changed = PERTURBATIONS[name].change(image, 0.4, WAVELENGTH_A)
    assert changed.dtype == np.float32
    back = PERTURBATIONS[name].undo(changed)
    assert back.shape == image.shape
    assert np.corrcoef(back.ravel(), image.ravel())[0, 1] > 0.5


def test_dice_is_that_counted_by_hand():
    one, other = np.float32([1, 1, 1, 0, 0]), np.float32([0, 1, 1, 1, 1])
    assert dice(one, other) == pytest.approx(2 * 2 / (3 + 4))
    assert dice(one, one) == 1
    assert dice(0 * one, 0 * one) == 0
    assert dice(np.stack([one, other]), one) == pytest.approx([1, 4 / 7])


def test_a_few_that_agree_outvote_many_that_fail_in_different_ways():
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.3).astype(np.float32)
    good = [np.where(rng.random(4000) < 0.05, 1 - truth, truth) for _ in range(3)]
    bad = [(rng.random(4000) < share).astype(np.float32) for share in (0.02, 0.1, 0.3, 0.5, 0.9, 0.0)]
    masks = np.float32([*good, *bad])
    consensus, agreement = weighted_consensus(masks, masks)
    assert dice((consensus > 0.5).astype(np.float32), truth) > 0.95
    assert agreement[:3].min() > agreement[3:].max() + 0.2


PIXELS = 24


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.float32, (5, PIXELS), elements=st.floats(0, 1, width=32)),
    st.permutations(range(5)),
    st.permutations(range(PIXELS)),
)
def test_the_order_of_networks_and_pixels_does_not_matter(probability, networks, pixels):
    recipes = ["a", "a", "b", "c", "c"]

    def evidence(rows, columns):
        views = [
            View(probability[row][columns], dict.fromkeys(PERTURBATIONS, 0.25), MATCHED | {"shift": float(row)})
            for row in rows
        ]
        return gather_evidence(views, [recipes[row] for row in rows])

    plain = evidence(range(5), np.arange(PIXELS))
    other = evidence(networks, np.array(pixels))
    assert list(other.columns) == list(EVIDENCE)
    np.testing.assert_allclose(other.to_numpy(), plain.loc[list(networks)].to_numpy(), atol=2e-3)
    shares = plain.drop(columns=list(MATCH)).to_numpy()
    assert ((shares >= 0) & (shares <= 1 + 1e-5) | np.isnan(shares)).all()


def test_evidence_is_that_counted_by_hand():
    views = [
        View(np.float32(row), dict.fromkeys(PERTURBATIONS, 0.5), MATCHED | {"shift": 2.0})
        for row in ([0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.1, 0.4], [0.1, 0.1, 0.1, 0.1])
    ]
    table = gather_evidence(views, ["a", "a", "b"])
    assert table.twins.tolist()[:2] == pytest.approx([2 / 3, 2 / 3])
    assert math.isnan(table.twins[2])
    assert table.peers.tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert table.covered.tolist() == [0.5, 0.25, 0]
    assert table.self_dice[0] == pytest.approx(2 * 1.7 / (2.0 + 2))
    assert table.particle_sure[0] == pytest.approx(0.85)
    assert table.background_sure[1] == pytest.approx((0.9 + 0.9 + 0.6) / 3)
    assert math.isnan(table.particle_sure[2])
    assert (table["shift"] == 2).all()


def test_of_one_network_there_is_no_agreement():
    (row,) = gather_evidence([View(np.float32([0.9, 0.1]), dict.fromkeys(PERTURBATIONS, 1.0), MATCHED)], ["a"]).to_dict(
        "records"
    )
    assert all(math.isnan(row[name]) for name in ("consensus", "peers", "twins"))


def test_images_unlike_those_of_training_shift_the_statistics_of_batch_norms(tmp_path):
    ((_, network),), _ = load_networks([random_network(tmp_path)], None)
    assert isinstance(network.network, nn.Module)
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)  # as the network was trained on
    y, _ = np.mgrid[:64, :64]
    like, unlike = (
        view([network], Micrograph.from_array(each, pixel_size_A=0.4), None, UNKNOWN, device="cpu").match["shift"]
        for each in (image, np.sin(y / 9).astype(np.float32))
    )
    assert unlike > like
    assert not any(layer._forward_pre_hooks for layer in network.network.modules())
    with NormShift([trained("without")]) as without:
        pass
    assert math.isnan(without.value)


def test_the_gap_to_training_is_that_to_the_nearest_condition():
    conditions = ((Condition(defocus_A=-100, dose_e_per_A2=100), 4), (Condition(defocus_A=30, dose_e_per_A2=400), 4))
    domain = TrainingDomain(conditions, energy_eV=300e3, pixel_size_A=0.4, side_px=64)
    told = ImageCondition(1.0, math.log(200), 90.0)
    assert dose_gap(told, domain) == pytest.approx(math.log(2))
    assert defocus_gap(told, domain) == pytest.approx(10)
    assert math.isnan(dose_gap(UNKNOWN, domain))
    counts = np.random.default_rng(0).poisson(16, (128, 128))
    found = image_condition(Micrograph.from_array(counts, pixel_size_A=0.4), None, energy_eV=300e3)
    assert found.log_dose == pytest.approx(math.log(100), abs=0.05)
    assert math.isnan(found.log_cnr)


def test_networks_of_one_recipe_differ_in_their_seed_only(tmp_path):
    paths = [random_network(tmp_path, base_channels=channels) for channels in (2, 3)]
    ((_, two), (_, three)), _ = load_networks(paths, None)
    again = TrainedNetwork("again", two.network, two.training_domain, 0.1)
    assert recipe(two) == recipe(again)
    assert recipe(two) != recipe(three)


def test_consistent_networks_have_a_dice_of_one():
    image = np.full((40, 40), 10.0)
    image[10:30, 10:30] = 50
    found = view([trained("a")], Micrograph.from_array(image, pixel_size_A=0.4), None, UNKNOWN, device="cpu")
    assert found.consistency["turn"] == 1
    assert min(found.consistency.values()) > 0.9


def test_the_middle_is_cut_from_what_was_repaired_as_a_whole():
    image = noise(CROP_PX + 60, CROP_PX + 41).astype(float)
    image[50, 60] = 1e5
    networks = [module.NetworkFile("a.ckpt", trained("a"))]
    prepared = prepare(Micrograph.from_array(image, pixel_size_A=0.4), networks)
    assert prepared.micrograph.image.shape == prepared.dead.shape == (CROP_PX, CROP_PX)
    assert prepared.micrograph.image[20, 40] < 100
    coarse = [module.NetworkFile("a.ckpt", trained("a", pixel_size_A=0.6))]
    assert prepare(Micrograph.from_array(image, pixel_size_A=0.4), coarse).micrograph.image.shape == image.shape


def test_files_are_chosen_evenly():
    assert spread(list("abcdefg"), 3) == ["a", "d", "g"]
    assert spread(list("ab"), 12) == ["a", "b"]
    assert len(spread(list(range(1000)), 12)) == 12


def test_groups_hold_every_network_once_and_are_not_too_small():
    for count in (3, 5, 6, 26):
        for stream in "abc":
            dealt = pools(count, stream, whole=False)
            assert sorted(np.concatenate(dealt)) == list(range(count))
            assert min(map(len, dealt)) >= SMALLEST_POOL
        assert [len(each) for each in pools(count, "a", whole=True)] == [count]
    assert any(len(pools(26, stream, whole=False)) > 1 for stream in "abc")


def test_f1_of_a_calibration_is_that_of_the_masks():
    views = [
        View(np.float32([0.9, 0.8, 0.1, 0.2]), dict.fromkeys(PERTURBATIONS, 0.5), MATCHED | {"shift": 2.0}),
        View(np.float32([0.1, 0.1, 0.1, 0.1]), dict.fromkeys(PERTURBATIONS, 0.5), MATCHED | {"shift": 2.0}),
    ]
    networks = [trained("a"), trained("b")]
    rows = image_rows(views, networks, np.array([[0, 3], [1, 0]]))
    assert rows.network.tolist() == ["a", "b"]
    assert rows.f1.tolist() == pytest.approx([0.5, 0])
    assert image_rows(views, networks, np.zeros((2, 2), int)).empty  # F1 is undefined


def test_estimates_follow_the_evidence_and_never_fall_with_agreement(estimator):
    fresh = made_up(np.random.default_rng(2))
    estimated = estimator.estimate(fresh)
    assert np.sqrt(np.mean((estimated - fresh.f1) ** 2)) < 0.12
    for name in RISING:
        rising = one_image_each([{name: value} for value in np.linspace(0, 1, 21)])
        assert (np.diff(estimator.estimate(rising)) >= 0).all()
        assert (np.diff(estimator.estimate(rising.assign(pool=0))) >= 0).all()
    for name in FALLING:
        rising = one_image_each([{name: value} for value in np.linspace(-3, 3, 21)])
        assert (np.diff(estimator.estimate(rising)) <= 0).all()
        assert (np.diff(estimator.estimate(rising.assign(pool=0))) <= 0).all()
    empty = one_image_each([dict.fromkeys(EVIDENCE, np.nan)])
    assert 0 <= estimator.estimate(empty)[0] <= 1


def one_image_each(rows):
    """Return evidence of one half each, but for what is stated, each row of an image of its own."""
    return pd.DataFrame([{**dict.fromkeys(EVIDENCE, 0.5), "pool": pool} | row for pool, row in enumerate(rows)])


def test_a_sum_of_curves_is_found_and_nothing_beyond_is_extrapolated():
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.uniform(0, 1, (3000, len(EVIDENCE))), columns=list(EVIDENCE))
    table["pool"] = np.arange(3000) // 10
    table["f1"] = 0.1 + 0.4 * table.consensus + 0.2 * table.turn**2 + 0.2 * (1 - table["shift"])
    found = F1Estimator(table, "made up")
    assert np.sqrt(np.mean((found.estimate(table) - table.f1) ** 2)) < 0.02  # of a standard deviation of 0.14
    edges = one_image_each([{"turn": value} for value in (1.0, 1.5, 99.0)])
    at_edge, beyond, far = found.estimate(edges)
    assert at_edge == beyond == far


def test_ranks_tell_good_networks_on_images_of_any_kind():
    """Of a network the evidence says nothing, but its place among the others that saw the image does."""
    rng = np.random.default_rng(7)
    table = pd.DataFrame(
        [
            {"network": f"n{n}", "dataset": f"d{p}", "condition": f"c{p}", "image": 0, "pool": p}
            | dict.fromkeys(EVIDENCE, 0.5)
            | {"turn": rng.uniform(0, 5), "f1": 0.3 + 0.06 * n}
            for p in range(60)
            for n in range(10)
        ]
    )
    level = table.groupby("pool").turn.transform("first")
    table["turn"] = level + 0.01 * table.f1
    fresh = table[table.pool < 20].assign(turn=lambda rows: rows.turn + 0.1)
    estimated = F1Estimator(table[table.pool >= 20], "made up").estimate(fresh)
    assert estimated == pytest.approx(fresh.f1.to_numpy(), abs=0.03)
    shuffled = fresh.sample(frac=1, random_state=0)
    again = F1Estimator(table[table.pool >= 20], "made up").estimate(shuffled)
    assert again == pytest.approx(pd.Series(estimated, fresh.index)[shuffled.index].to_numpy())


def test_ranks_are_those_counted_by_hand():
    rows = one_image_each([{"turn": 0.1}, {"turn": 0.4}, {"turn": 0.4}, {"turn": np.nan}, {"turn": 0.9}])
    rows["pool"] = [0, 0, 0, 0, 1]
    columns = evidence_columns(rows)
    turn = EVIDENCE.index("turn")
    np.testing.assert_array_equal(columns[:, turn], rows.turn)
    ranks = columns[:, len(EVIDENCE) + turn]
    np.testing.assert_allclose(ranks, [0.5 / 3, 2 / 3, 2 / 3, np.nan, np.nan])


def test_a_single_network_has_no_rank(estimator):
    rows = one_image_each([{"consensus": 0.9}, {"consensus": 0.2}])
    each = [estimator.estimate(rows.iloc[[place]])[0] for place in (0, 1)]
    assert estimator.estimate(rows) == pytest.approx(each)
    together = estimator.estimate(pd.concat([rows, rows.assign(pool=7)]))
    assert together[:2] == pytest.approx(each)
    assert together[2] > together[3]


def test_evidence_that_a_calibration_lacks_does_not_count():
    table = made_up(np.random.default_rng(6)).assign(particle_sure=np.nan, covered=0.25)
    found = F1Estimator(table, "made up")
    rows = table.head(9)
    assert np.isfinite(found.estimate(rows)).all()
    assert (found.estimate(rows) == found.estimate(rows.assign(particle_sure=0.9, covered=0.8))).all()


def test_intervals_hold_as_often_as_they_say_and_shrink_with_images(estimator):
    fresh = made_up(np.random.default_rng(3), networks=20, conditions=20)
    fresh["estimate"] = estimator.estimate(fresh)
    for images in (1, 3):
        means = fresh[fresh.image < images].groupby(["network", "dataset"])[["estimate", "f1"]].mean()
        inside = (means.estimate - means.f1).abs() <= estimator.half_width(images)
        assert LEVEL - 0.06 < inside.mean() < LEVEL + 0.06
    assert estimator.half_width(3) < estimator.half_width(1)
    assert estimator.half_width(50) == estimator.half_width(3)


def test_held_out_estimates_saw_neither_network_nor_condition(estimator):
    # of a network that is worse than its evidence, a fit must have seen to tell
    table = estimator.table.copy()
    secret = table.network == "n0"
    table.loc[secret, "f1"] *= 0.2
    table.loc[secret, "covered"] = 0.1
    other = F1Estimator(table, "made up")
    seen, unseen = (
        np.mean(each - table.f1[secret])
        for each in (other.estimate(table[secret]), other.held_out[list(TOGETHER)].mean(axis=1)[secret])
    )
    assert unseen > seen + 0.1


def test_half_widths_do_not_depend_on_the_order_of_rows(estimator):
    table = pd.concat([estimator.table, estimator.held_out], axis=1)
    shuffled = F1Estimator(table.sample(frac=1, random_state=1), "made up")
    for images in (1, 2, 3):
        assert shuffled.half_width(images) == pytest.approx(estimator.half_width(images))


def test_half_widths_are_quantiles_of_errors_counted_by_hand():
    rows = [
        {"network": f"n{n}", "dataset": "d", "condition": "c", "image": i, "pool": i, "f1": 0.5}
        | dict.fromkeys((*TOGETHER, *ALONE), 0.5 + sign * 0.01 * n)
        for n in range(10)
        for i, sign in enumerate((1, -1, 1))
    ]
    made = F1Estimator(pd.DataFrame(rows), "made up")
    assert made.half_width(1) == pytest.approx(0.09)  # the 82nd of 90 errors: nine each of 0 to 0.09
    assert made.half_width(2) == pytest.approx(0, abs=1e-12)  # pairs cancel, and the third image is left over
    assert made.half_width(3) == pytest.approx(0.03)
    assert F1Estimator(pd.DataFrame(rows[:3]), "made up").half_width(5) == 1, "too few"


def test_a_network_alone_is_judged_as_those_that_were_alone():
    """Alone, agreement is missing; that is no sign of quality, as most networks of a calibration are good."""
    rng = np.random.default_rng(8)
    table = made_up(rng, networks=12, conditions=12)
    table["f1"] = np.where(table.covered.index % 10 == 0, 0.0, 0.9)
    table["covered"], table["consensus"] = np.where(table.f1 == 0, 0.0, 0.4), np.where(table.f1 == 0, 0.0, 0.9)
    made = F1Estimator(table, "made up")
    alone = one_image_each([{"covered": 0.0}, {"covered": 0.4}]).assign(**dict.fromkeys(AGREEMENT, np.nan))
    nothing, something = made.estimate(alone)
    assert nothing < 0.1
    assert something > 0.8


def test_the_mean_of_one_network_is_no_better_than_itself(estimator, monkeypatch):
    evidence = collected()
    found = conclude(evidence, estimator, 0.5)
    monkeypatch.setattr(module, "BETTER", -1.0)
    same = module._ensemble((found.best,), float(found.networks.f1.iloc[0]), evidence, estimator)
    assert same.f1 == pytest.approx(found.networks.f1.iloc[0])


def test_evidence_beyond_the_calibration_is_named(estimator):
    row = one_image_each([{"shift": 7.0}])
    assert estimator.outside(row) == ["shift"]
    assert estimator.outside(row.assign(shift=-99.0, consensus=7.0)) == [], "these speak for the network"
    assert estimator.outside(row.assign(shift=0.5, consensus=-1.0)) == ["consensus"]


def test_a_calibration_is_read_as_it_was_written(estimator, tmp_path):
    write_calibration(tmp_path / "c.csv", estimator.table)
    again = read_calibration(tmp_path / "c.csv")
    assert again.source == str(tmp_path / "c.csv")
    pd.testing.assert_frame_equal(again.table[list(COLUMNS)], estimator.table, atol=6e-4, rtol=0, check_dtype=False)
    for images in (1, 3):
        for single in (False, True):
            kept = estimator.half_width(images, by_itself=single)
            assert again.half_width(images, by_itself=single) == pytest.approx(kept, rel=0.1)


def test_the_package_has_a_calibration_of_simulated_images():
    shipped = read_calibration()
    assert "simulations" in shipped.source
    cells = shipped.table.groupby(["network", "dataset"])[["consensus", "f1"]].mean()
    assert len(cells) > 400
    assert spearmanr(cells.consensus, cells.f1).statistic > 0.5


@pytest.mark.slow
def test_the_packages_held_out_estimates_are_those_of_its_table():
    shipped = read_calibration().table
    again = held_out(shipped[list(COLUMNS)])
    # where sums are added in another order, single splits of trees may differ
    assert (again - shipped[list(HELD_OUT)]).abs().mean().max() < 0.003


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="blur"), "it lacks the columns blur"),
        (lambda table: table.assign(f1=2.0), "f1 must be between 0 and 1"),
        (lambda table: table.assign(noise="loud"), "values are not numbers"),
        (lambda table: table.head(30), "holds 10 pairs of network and test dataset, of 1 networks and 10 conditions"),
        (lambda table: table.drop(columns="pool"), "it lacks the columns pool"),
        (lambda table: table.drop(columns="alone_0"), "it lacks the columns alone_0"),
        (lambda table: table.assign(pool=table.pool / 7), "pool must be whole numbers"),
        (lambda table: table.assign(pool="9" * 30), "pool must be whole numbers"),
        (lambda table: table.assign(pool=np.nan), "pool must be whole numbers"),
        (lambda table: table.assign(pool=0), "all rows of a pool must be of one dataset and image"),
        (lambda table: table.assign(turn=np.inf), "evidence must be finite"),
        (lambda table: table.assign(**dict.fromkeys(EVIDENCE, np.nan)), "it holds no evidence"),
        (lambda table: pd.concat([table, table]), "must not be there twice"),
        (lambda table: table.assign(together_1=-0.1), "together_1 must be between 0 and 1"),
    ],
)
def test_what_is_no_calibration_is_refused_by_name(estimator, tmp_path, change, message):
    change(estimator.table.assign(**dict.fromkeys(HELD_OUT, 0.5))).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(ArtifactError, match=r"c\.csv") as caught:
        read_calibration(tmp_path / "c.csv")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot be read"), (b"\xff\xfe\0\0", "is no"), (b"", "is no table")]
)
def test_files_that_are_no_table_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "c.csv").write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        read_calibration(tmp_path / "c.csv")


def test_tables_are_checked_before_they_are_written(estimator):
    assert len(checked(estimator.table, "campaign small")) == len(estimator.table)


def collected(count=5, images=2):
    """Return evidence on networks of rising thresholds, and one of the wrong sign, on discs."""
    networks = [trained(f"n{n}", threshold=0.2 * n) for n in range(count - 1)] + [trained("wrong", sign=-1.0)]
    evidence = Collected([module.NetworkFile(f"{each.id}.ckpt", each) for each in networks], "cpu")
    for seed in range(images):
        y, x = np.mgrid[:64, :64]
        disc = np.hypot(y - 30, x - 34) < 14
        counts = np.random.default_rng(seed).poisson(np.where(disc, 80, 20))
        micrograph = Micrograph.from_array(counts, pixel_size_A=0.4, name=f"m{seed}")
        evidence.add(prepare(micrograph, evidence.networks, repair=False))
    return evidence


def test_networks_are_ranked_with_intervals_and_the_one_that_disagrees_is_last(estimator):
    found = conclude(collected(), estimator, 0.5)
    assert found.networks.index[-1] == "wrong"
    assert found.networks.f1.is_monotonic_decreasing
    assert (found.networks.low <= found.networks.f1).all()
    assert (found.networks.high >= found.networks.f1).all()
    assert (found.networks["images"] == 2).all()
    assert len(found.images) == 10
    assert found.best == found.networks.index[0]
    means = found.images.groupby("network").f1.mean()
    assert found.networks.f1.to_dict() == pytest.approx(means.to_dict())


def test_none_will_do_where_the_best_estimate_is_too_low(estimator):
    evidence = collected()
    best = conclude(evidence, estimator, 0.0).networks.f1.iloc[0]
    assert conclude(evidence, estimator, best - 0.05).will_do is not False
    assert conclude(evidence, estimator, min(1.0, best + 0.2)).will_do is False


def test_it_cannot_be_told_where_the_best_network_lies_outside_of_the_calibration(estimator):
    evidence = collected()
    for rows in evidence.rows:
        rows["shift"] = 9.0
    found = conclude(evidence, estimator, 0.0)
    assert "shift" in found.outside
    assert found.will_do is None
    assert "cannot be told" in verdict(found)


def test_masks_of_nearly_everything_agree_in_nothing():
    """Two draws of 97 % of the pixels: the Dice coefficient of what is left is 0.03 to expect, of what is covered 0.97."""
    rng = np.random.default_rng(4)
    one, other = (rng.random((2, 10000)) < 0.97).astype(np.float32)
    assert dice(one, other) == pytest.approx(0.97, abs=0.01)
    assert agreement(one, other) == pytest.approx(0.03, abs=0.03)
    assert agreement(one, one) == 1
    few, fewer = (rng.random((2, 10000)) < 0.3).astype(np.float32)
    assert agreement(few, fewer) == dice(few, fewer)


def test_an_ensemble_is_offered_only_where_it_is_estimated_to_be_better(estimator, monkeypatch):
    evidence = collected()
    monkeypatch.setattr(module, "BETTER", -1.0)
    offered = conclude(evidence, estimator, 0.5).ensemble
    assert len(offered.networks) == module.MEMBERS
    assert offered.low <= offered.f1 <= offered.high
    monkeypatch.setattr(module, "BETTER", 1.0)
    assert conclude(evidence, estimator, 0.5).ensemble is None


def test_the_mean_of_networks_is_judged_as_one(estimator):
    evidence = collected()
    rows = evidence.of_mean(["n0", "n1"])
    assert rows.groupby("pool").size().tolist() == [6, 6]
    assert estimator.estimate(rows).min() >= 0
    rows = rows[rows.network == MEAN]
    assert len(rows) == 2
    micrograph = evidence._images[0].prepared.micrograph
    networks = [each.trained for each in evidence.networks]
    one, both = (view(networks[:number], micrograph, None, UNKNOWN, device="cpu") for number in (1, 2))
    assert rows.covered.iloc[0] == pytest.approx(float((both.probability > 0.5).mean()))
    assert rows.covered.iloc[0] < (one.probability > 0.5).mean()


def test_networks_that_do_not_take_an_image_are_noted_and_rank_last(estimator, write):
    networks = [trained(f"n{n}") for n in range(4)] + [trained("fine", pixel_size_A=0.05)]
    files = [module.NetworkFile(f"{each.id}.ckpt", each) for each in networks]
    images = [write("a.tif", noise(64, 64), 0.15), write("b.tif", noise(64, 64), 0.4)]
    found = select_networks(files, images, estimator, device="cpu")
    assert found.networks.index[-1] == "fine"
    assert found.networks["images"].tolist() == [2, 2, 2, 2, 1]
    assert "network fine: b has 64 × 64 px" in found.problems[0].reason
    assert any("estimated from fewer images" in each for each in found.notes)


def test_bad_files_do_not_end_the_rest(estimator, write, tmp_path):
    files = [module.NetworkFile(f"n{n}.ckpt", trained(f"n{n}", threshold=0.1 * n)) for n in range(4)]
    good, bad = write("a.tif", noise(64, 64), 0.4), tmp_path / "b.tif"
    bad.write_bytes(b"II*\0")
    found = select_networks(files, [bad, good], estimator, device="cpu")
    assert set(found.images.micrograph) == {"a"}
    assert [problem.path for problem in found.problems] == [bad]
    with pytest.raises(ArtifactError, match="no image can be used"):
        select_networks(files, [bad], estimator, device="cpu")


def test_of_stacks_and_many_files_some_images_are_used(estimator, write):
    files = [module.NetworkFile(f"n{n}.ckpt", trained(f"n{n}", threshold=0.1 * n)) for n in range(4)]
    stack = write("s.tif", noise(9, 48, 48), 0.4)
    found = select_networks(files, [stack], estimator, most_images=3, device="cpu")
    assert sorted(set(found.images.micrograph)) == ["s_0", "s_4", "s_8"]
    several = [write(f"m{n}.tif", noise(48, 48), 0.4) for n in range(5)]
    found = select_networks(files, several, estimator, most_images=2, device="cpu")
    assert sorted(set(found.images.micrograph)) == ["m0", "m4"]
    assert "2 of 5 files were used (--most-images)." in found.notes


def test_networks_that_give_no_numbers_are_noted(estimator, write):
    files = [module.NetworkFile(f"n{n}.ckpt", trained(f"n{n}", threshold=0.1 * n)) for n in range(4)]
    files.append(module.NetworkFile("nan.ckpt", trained("nan", threshold=math.nan)))
    found = select_networks(files, [write("a.tif", noise(64, 64), 0.4)], estimator, device="cpu")
    assert "nan" not in found.networks.index
    assert found.networks.f1.notna().all()
    assert [problem.reason for problem in found.problems] == ["network nan gives no number for pixels of a."]


def test_few_networks_are_noted(estimator):
    found = conclude(collected(count=2), estimator, 0.5)
    assert found.ensemble is None
    assert "agreement tells little of 2 network(s)" in found.notes[0]


def test_bounds_stay_within_0_and_1():
    assert interval(0.95, 0.2) == (0.95, 0.75, 1.0)
    assert interval(0.1, 0.2) == (0.1, 0.0, pytest.approx(0.3))
