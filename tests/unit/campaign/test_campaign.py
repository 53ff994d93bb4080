"""What a configuration expands into, and which changes change which ids."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.artifacts.identity import content_id
from hrtem_ood.artifacts.stage_versions import ARCHITECTURE_VERSIONS, STAGE_VERSIONS
from hrtem_ood.base_model import identity_parameters
from hrtem_ood.campaign import packs
from hrtem_ood.campaign.campaign import equal_shares
from hrtem_ood.campaign.config_warnings import config_warnings
from hrtem_ood.campaign.dag import job_counts
from hrtem_ood.campaign.load import load_campaign, merge, read_configs
from hrtem_ood.campaign.specs import (
    DatasetSpec,
    EvaluationSpec,
    ExitWaveShardSpec,
    NetworkSpec,
    PackSpec,
    StructureShardSpec,
    TrainingSetSpec,
    TransferSpec,
)
from hrtem_ood.config.training import Architecture, Hyperparameters
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.predictors import registry

MADE_BY = {
    StructureShardSpec: "structures",
    ExitWaveShardSpec: "exit_waves",
    DatasetSpec: "datasets",
    NetworkSpec: "networks",
    TrainingSetSpec: "networks",
    EvaluationSpec: "evaluations",
    TransferSpec: "transfer",
}

STAGES = ("structures", "exit_waves", "datasets", "networks", "packs", "suites", "evaluations")


def ids(raw):
    campaign = load_campaign(raw)
    return {stage: set(getattr(campaign, stage)) for stage in STAGES} | {"transfer": {campaign.transfer.id}}


def changed(before, after):
    """Stages that lost or gained artifacts."""
    return {stage for stage in before if before[stage] != after[stage]}


def test_counts(raw):
    campaign = load_campaign(raw)
    # train: 8 + 8 + 4, test: 6
    assert len(campaign.structures) == len(campaign.exit_waves) == 4
    # Δf 100 Å at 400 e/Å² stands in both grids but is one condition: 4 conditions × 2 sets
    assert len(campaign.datasets) == 8
    assert len(campaign.training_set_by_id) == 4
    assert len(campaign.networks) == 8
    assert job_counts(campaign)["train"] == 4
    assert len(campaign.transfer.conditions) == 4
    assert [len(suite.datasets) for suite in campaign.suites.values()] == [4]


def test_unused_sets_are_not_made(raw):
    raw["structure_sets"]["spare"] = raw["structure_sets"]["test"] | {"seed": 3}
    assert len(load_campaign(raw).structures) == 4


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ({"campaign": "other"}, set()),
        ({"report": {"dpi": 200}}, set()),
        ({"execution": {"device": "cpu"}}, set()),
        ({"execution": {"structures_per_shard": 20}}, {"structures", "exit_waves"}),
        ({"execution": {"networks_per_job": 1}}, {"packs"}),
        ({"execution": {"networks_per_evaluation": 1}}, {"evaluations"}),
        ({"transfer": {"weighting": "per_q"}}, {"transfer"}),
        ({"networks": {"unet": {"learning_rate": 0.001}}}, {"networks", "packs", "evaluations"}),
        ({"networks": {"unet": {"seed": [0, 1, 2]}}}, {"networks", "packs", "evaluations"}),
        ({"evaluation": {"numeric_precision": "tf32"}}, {"evaluations"}),
        ({"labels": {"blur_A": 2}}, {"datasets", "networks", "packs", "suites", "evaluations"}),
        (
            {"simulation": {"n_frozen_phonons": 3}},
            {"exit_waves", "datasets", "networks", "packs", "suites", "evaluations"},
        ),
        ({"structure_sets": {"test": {"seed": 5}}}, {"structures", "exit_waves", "datasets", "suites", "evaluations"}),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_change_reaches_what_it_determines_and_nothing_else(raw, change, stages):
    assert changed(ids(raw), ids(merge(raw, change))) == stages


def test_order_of_conditions_seeds_and_keys_means_nothing(raw):
    before = ids(raw)
    raw["conditions"]["defocus"]["defocus_A"].reverse()
    raw["networks"]["unet"]["seed"].reverse()
    raw["test_suites"]["test"]["conditions"].reverse()
    backwards = dict(reversed(raw.items()))
    assert ids(backwards) == before


def test_whole_numbers_and_floats_are_the_same_configuration(raw):
    before = ids(raw)
    raw["conditions"]["dose"]["dose_e_per_A2"] = [100.0, 400.0]
    raw["structure_sets"]["train"]["cell_A"] = 51.2
    raw["simulation"]["slice_thickness_A"] = 1
    assert ids(raw) == before


def test_a_new_condition_leaves_other_networks_alone(raw):
    before = ids(raw)
    raw["conditions"]["defocus"]["defocus_A"].append(200)
    after = ids(raw)
    assert before["datasets"] < after["datasets"]
    assert len(after["datasets"] - before["datasets"]) == 2
    # two new networks on the new condition; the mixture changed, so its two networks did
    assert len(after["networks"] - before["networks"]) == 4
    assert len(before["networks"] - after["networks"]) == 2


def test_more_structures_keep_the_first_shards(raw):
    before = ids(raw)
    raw["structure_sets"]["train"]["n_structures"] = 24
    after = ids(raw)
    assert len(before["exit_waves"] - after["exit_waves"]) == 1  # the last, short shard
    assert len(after["exit_waves"]) == 4


def test_names_of_grids_and_sets_are_in_no_id(raw):
    before = ids(raw)
    raw["conditions"]["focus_series"] = raw["conditions"].pop("defocus")
    for user in (*raw["training_sets"].values(), *raw["test_suites"].values()):
        names = [user["conditions"]] if isinstance(user["conditions"], str) else user["conditions"]
        user["conditions"] = ["focus_series" if name == "defocus" else name for name in names]
    raw["structure_sets"]["exam"] = raw["structure_sets"].pop("test")
    raw["test_suites"]["test"]["structure_set"] = "exam"
    assert ids(raw) == before


def test_specs_survive_json(raw):
    campaign = load_campaign(raw)
    for kind, specs in (
        (StructureShardSpec, campaign.structures),
        (ExitWaveShardSpec, campaign.exit_waves),
        (DatasetSpec, campaign.datasets),
        (PackSpec, campaign.packs),
        (TransferSpec, {campaign.transfer.id: campaign.transfer}),
    ):
        for id_, spec in specs.items():
            assert kind.model_validate_json(spec.json_text).id == id_


def test_a_campaign_survives_its_own_json(raw):
    campaign = load_campaign(raw)
    again = load_campaign(json.loads(campaign.config_json))
    assert again.config == campaign.config
    assert again.metrics_id == campaign.metrics_id


def test_metrics_depend_on_content_and_not_on_grouping(raw):
    before = load_campaign(raw)
    grouped = load_campaign(merge(raw, {"execution": {"networks_per_job": 1, "structures_per_shard": 3}}))
    assert grouped.metrics_id == before.metrics_id
    styled = load_campaign(merge(raw, {"report": {"dpi": 99}}))
    assert styled.metrics_id == before.metrics_id
    assert styled.report_id != before.report_id
    assert load_campaign(merge(raw, {"transfer": {"weighting": "per_q"}})).metrics_id != before.metrics_id


def test_raising_a_stage_version_makes_new_ids(raw, monkeypatch):
    before = ids(raw)
    monkeypatch.setattr(NetworkSpec, "version", NetworkSpec.version + 1)
    assert changed(before, ids(raw)) == {"networks", "packs", "evaluations"}


@pytest.mark.parametrize("stage", sorted(set(STAGE_VERSIONS) - {"predictors"}))
def test_metrics_follow_every_stage_version(raw, monkeypatch, stage):
    before = load_campaign(raw).metrics_id
    monkeypatch.setitem(STAGE_VERSIONS, stage, STAGE_VERSIONS[stage] + 1)
    # specs read the version of their stage when they are defined
    for spec, versioned in MADE_BY.items():
        if versioned == stage:
            monkeypatch.setattr(spec, "version", spec.version + 1)
    assert load_campaign(raw).metrics_id != before


def test_azimuths_of_absent_aberrations_make_no_conditions(raw):
    raw["conditions"]["dose"] |= {"C12": [0, 50], "phi12": [0, 0.7]}
    # C12 = 0 is one condition per dose, one of which is in the defocus grid, too
    assert len(load_campaign(raw).transfer.conditions) == 3 + 1 + 4


def test_a_crystal_file_counts_by_content(raw, tmp_path):
    cif = tmp_path / "a.cif"
    cif.write_text("data_x\n")
    raw["materials"]["CdSe"] = {"file": str(cif)}
    before = ids(raw)
    moved = cif.rename(tmp_path / "b.cif")
    raw["materials"]["CdSe"] = {"file": str(moved)}
    assert ids(raw) == before
    moved.write_text("data_y\n")
    assert changed(before, ids(raw)) >= {"structures", "networks"}


def test_untested_training_condition_is_noted(raw):
    assert not list(config_warnings(load_campaign(raw)))
    raw["test_suites"]["test"]["conditions"] = ["dose"]
    assert any("no in-domain score" in note for note in config_warnings(load_campaign(raw)))
    raw["conditions"] = merge(raw["conditions"], {"many": {"defocus_A": list(range(300, 400)), "dose_e_per_A2": 90}})
    raw["training_sets"]["single"]["conditions"] = "many"
    notes = config_warnings(load_campaign(raw))
    (note,) = (note for note in notes if "training_sets.single: its networks have no in-domain score" in note)
    assert "and 90 more" in note
    assert len(note) < 1000


def test_null_removes_an_entry(raw):
    raw["training_sets"]["mixed"] = None
    raw["networks"]["unet"]["training_sets"] = "single"
    assert len(load_campaign(raw).networks) == 6


def test_configs_are_merged_on_the_default(tmp_path, monkeypatch, raw):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(json.dumps(raw))
    (tmp_path / "more.yaml").write_text("labels: {blur_A: 3}\n")
    merged = read_configs([tmp_path / "more.yaml"])
    assert merged == raw | {"labels": {"blur_A": 3}}


def test_expected_counts_are_new_datasets_of_the_same_images(raw):
    before = load_campaign(raw)
    after = load_campaign(merge(raw, {"imaging": {"store_noise_free": True}}))
    assert not set(before.datasets) & set(after.datasets)
    series = [sorted(spec.series for spec in campaign.datasets.values()) for campaign in (before, after)]
    assert series[0] == series[1]
    assert any("imaging.store_noise_free" in note for note in config_warnings(after))
    fresh = load_campaign(
        merge(raw, {"imaging": {"store_noise_free": True}, "networks": {"unet": {"resample_noise": True}}})
    )
    assert not list(config_warnings(fresh))


# --- hyperparameters --------------------------------------------------------------------------


CHANGES: list[dict[str, object]] = [
    {"architecture": {"base_channels": 4}},
    {"architecture": {"depth": 2}},
    {"architecture": {"name": "resnet_unet"}},
    {"epochs": 2},
    {"epochs": None, "steps": 2},
    {"batch_size": 4},
    {"loss": "cross_entropy_dice"},
    {"optimizer": "adam"},
    {"learning_rate": 1e-3},
    {"lr_schedule": "exponential"},
    {"weight_decay": 0},
    {"gradient_clip": 1},
    {"augmentation": "none"},
    {"augmentations": {"blur": {}}},
    {"repair": True},
    {"numeric_precision": "bf16-mixed"},
    {"stored_dtype": "bfloat16"},
    {"seed": 7},
]


@pytest.mark.parametrize("change", CHANGES, ids=json.dumps)
def test_every_hyperparameter_is_in_the_identity(raw, change):
    raw["networks"]["unet"]["seed"] = 0
    before, after = ids(raw), ids(merge(raw, {"networks": {"unet": change}}))
    assert changed(before, after) == {"networks", "packs", "evaluations"}
    assert len(after["networks"]) == len(before["networks"])
    assert not before["networks"] & after["networks"]


def test_a_changed_architecture_is_in_the_identity_of_its_own_networks_only(raw, monkeypatch):
    raw["networks"]["unet"] |= {"seed": 0, "architecture": [{"name": "unet"}, {"name": "resnet_unet"}]}
    after = load_campaign(raw).networks
    assert all(content_id(n.slug, [n.stage, n.version, n.content()]) == id_ for id_, n in after.items())
    monkeypatch.delitem(ARCHITECTURE_VERSIONS, "resnet_unet")
    before = load_campaign(raw).networks
    kept = {network.hyperparameters.architecture.name for id_, network in before.items() if id_ in after}
    lost = {network.hyperparameters.architecture.name for id_, network in before.items() if id_ not in after}
    assert (kept, lost) == ({"unet"}, {"resnet_unet"})
    # as they were before architectures had versions
    assert all(content_id(n.slug, [n.stage, n.version, identity_parameters(n)]) == id_ for id_, n in before.items())


def test_no_hyperparameter_is_left_out_of_that_test():
    tried = {key for change in CHANGES for key in change}
    # these two count only together with others, and have tests of their own
    assert tried | {"lr_decay", "resample_noise"} == set(Hyperparameters.model_fields)


def test_fresh_noise_is_in_the_identity():
    one, other = (
        NetworkSpec(training_set="t", hyperparameters=Hyperparameters(epochs=1, resample_noise=resample))
        for resample in (False, True)
    )
    assert one.id != other.id


def test_decay_counts_only_where_there_is_one(raw):
    network = raw["networks"]["unet"]
    before = ids(raw)
    network["lr_decay"] = [0.5, 0.9]
    assert ids(raw) == before
    network["lr_schedule"] = "exponential"
    assert len(ids(raw)["networks"]) == 2 * len(before["networks"])
    network["lr_schedule"] = ["one_cycle", "exponential"]
    assert len(ids(raw)["networks"]) == 3 * len(before["networks"])


def test_written_defaults_are_the_same_networks(raw):
    before = ids(raw)
    raw["networks"]["unet"] |= {
        "architecture": [{"name": "unet", "base_channels": 8, "depth": 3}],
        "loss": "cross_entropy",
        "learning_rate": 3e-3,
        "gradient_clip": None,
    }
    assert ids(raw) == before


def test_defaults_of_an_architecture_go_with_its_name():
    assert Architecture() == Architecture(name="unet", base_channels=8, depth=3, file=None)
    assert Architecture(name="resnet_unet").label == "resnet_unet(base_channels=64, depth=5)"
    assert Architecture(name="resnet_unet", depth=2).stride == 4
    assert Architecture(name=None, base_channels=2).label == "unet(base_channels=2, depth=3)"


def test_null_removes_a_hyperparameter(raw):
    before = ids(raw)
    raw["networks"]["unet"] |= {"epochs": None, "steps": 30}
    assert ids(raw)["networks"].isdisjoint(before["networks"])
    again = merge(raw, {"networks": {"unet": {"epochs": 1, "steps": None}}})
    assert ids(again) == before


def test_a_null_in_a_list_is_a_value_of_the_grid(raw):
    before = ids(raw)
    raw["networks"]["unet"]["gradient_clip"] = [None, 1.0]
    after = ids(raw)
    assert before["networks"] < after["networks"]
    assert len(after["networks"]) == 2 * len(before["networks"])


# --- images of training sets ------------------------------------------------------------------


def shares(raw):
    """Images of the mixed training set by (defocus, dose)."""
    campaign = load_campaign(raw)
    (mixed,) = campaign.training_sets["mixed"]
    conditions = [campaign.datasets[id_].condition for id_ in mixed.datasets]
    images = {(c.defocus_A, c.dose_e_per_A2): n for c, n in zip(conditions, mixed.n_images, strict=True)}
    assert len(images) == len(mixed.datasets)
    return images


def test_training_sets_take_their_images_in_equal_shares(raw):
    campaign = load_campaign(raw)
    assert [training_set.n_images for training_set in campaign.training_sets["single"]] == [(16,)] * 3
    assert shares(raw) == {(-100, 400): 4, (0, 400): 4, (100, 400): 4, (100, 100): 4}


def test_images_by_grid_of_conditions(raw):
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 12, "dose": 6}
    # Δf 100 Å at 400 e/Å² is in both grids and gets from both
    assert shares(raw) == {(-100, 400): 4, (0, 400): 4, (100, 400): 4 + 3, (100, 100): 3}


def test_images_by_grid_that_do_not_divide(raw):
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 11, "dose": 2}
    found = shares(raw)
    assert sum(found.values()) == 13
    assert found[100, 100] == 1
    assert sorted([found[-100, 400], found[0, 400], found[100, 400] - 1]) == [3, 4, 4]


def test_one_grid_by_name_is_that_grid(raw):
    raw["training_sets"]["mixed"]["conditions"] = "defocus"
    before = ids(raw)
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 16}
    assert ids(raw) == before


def test_order_of_numbers_of_images_means_nothing(raw):
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 11, "dose": 5}
    before = ids(raw)
    raw["training_sets"]["mixed"]["n_images"] = {"dose": 5, "defocus": 11}
    raw["training_sets"]["mixed"]["conditions"].reverse()
    raw["conditions"]["defocus"]["defocus_A"].reverse()
    assert ids(raw) == before


def test_numbers_of_images_change_the_networks_of_that_training_set_only(raw):
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 12, "dose": 4}
    before = ids(raw)
    after = ids(merge(raw, {"training_sets": {"mixed": {"n_images": {"dose": 6}}}}))
    assert len(before["networks"] - after["networks"]) == len(after["networks"] - before["networks"]) == 2
    assert before["datasets"] == after["datasets"]


def test_as_many_images_of_a_condition_as_structures_train(raw):
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 39, "dose": 6}
    assert max(shares(raw).values()) == 16  # 20 structures but 4 for validation
    raw["training_sets"]["mixed"]["n_images"] = {"defocus": 39, "dose": 8}
    with pytest.raises(ConfigError, match="17 images are needed under one condition"):
        load_campaign(raw)


@given(st.sets(st.text(min_size=1), min_size=1, max_size=30), st.integers(0, 500))
def test_shares_are_equal_give_or_take_one(names, images):
    found = equal_shares(sorted(names), images)
    assert list(found) == sorted(names)
    assert sum(found.values()) == images
    assert max(found.values()) - min(found.values()) <= 1
    # the larger shares come first
    assert list(found.values()) == sorted(found.values(), reverse=True)


# --- packs ------------------------------------------------------------------------------------


def _networks(seeds):
    return [
        NetworkSpec(training_set="t", hyperparameters=Hyperparameters(epochs=1, seed=seed)) for seed in sorted(seeds)
    ]


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=60), st.integers(1, 20))
def test_packs_hold_every_network_once_and_are_small(seeds, largest):
    networks = _networks(seeds)
    groups = list(packs.split_into_packs(networks, largest))
    assert sorted(network.id for group in groups for network in group) == sorted(network.id for network in networks)
    assert all(1 <= len(group) <= largest for group in groups)


@settings(deadline=None, max_examples=50)
@given(st.sets(st.integers(0, 10_000), min_size=2, max_size=60), st.integers(1, 20))
def test_one_more_network_changes_one_pack(seeds, largest):
    networks = _networks(seeds)
    before = set(packs.split_into_packs(networks[1:], largest))
    after = set(packs.split_into_packs(networks, largest))
    assert len(before - after) <= 1


def test_structure_sets_of_one_recipe_share_the_spectrum_of_their_objects(raw):
    campaign = load_campaign(raw)
    assert campaign.recipe_id("train") == campaign.recipe_id("test")
    ((shards, number),) = campaign.exit_waves_for_recipe.values()
    assert number in (6, 16)  # whichever series sorts first
    assert shards[0].start == 0
    assert shards[-1].stop >= number
    raw["structure_sets"]["test"]["particles"]["radius_A"] = [6, 9]
    assert len(load_campaign(raw).exit_waves_for_recipe) == 2


def test_predictors_follow_what_is_compared_and_nothing_else(raw):
    before = load_campaign(raw).predictors_id
    raw["campaign"], raw["networks"]["unet"]["seed"] = "other", [0, 1, 2]
    raw["execution"]["structures_per_shard"], raw["analysis"] = 5, {"forecast_predictor": "sigma"}
    assert load_campaign(raw).predictors_id == before
    raw["transfer"] = {"weighting": "per_q"}
    assert load_campaign(raw).predictors_id != before


@pytest.mark.parametrize(
    ("analysis", "message"),
    [
        ({"forecast_predictor": "sigmo"}, r"analysis\.forecast_predictor: there is no `sigmo`.*did you mean `sigma`"),
        (
            {"exclude_predictors": "abs_delta_defocus_A"},
            r"analysis\.exclude_predictors: `abs_delta_defocus_A` is the baseline_predictor",
        ),
        (
            {"compare_training_sets": ["single", "mixe"]},
            r"analysis\.compare_training_sets: there is no `mixe` under `training_sets`; did you mean `mixed`",
        ),
        (
            {"compare_training_sets": "single"},
            r"analysis\.compare_training_sets: a comparison needs two training sets or more, not only `single`",
        ),
    ],
)
def test_what_the_analysis_names_exists(raw, analysis, message):
    with pytest.raises(ConfigError, match=message):
        load_campaign(raw | {"analysis": analysis})


def test_training_sets_that_are_compared_have_networks_and_one_recipe(raw):
    raw["analysis"] = {"compare_training_sets": ["single", "mixed"]}
    assert load_campaign(raw).config.analysis.compare_training_sets == ("single", "mixed")
    raw["networks"]["unet"]["training_sets"] = "single"
    with pytest.raises(ConfigError, match=r"analysis\.compare_training_sets: no network trains on `mixed`"):
        load_campaign(raw)
    raw["networks"]["unet"]["training_sets"] = ["single", "mixed"]
    raw["structure_sets"]["larger"] = raw["structure_sets"]["train"] | {"particles": {"radius_A": [9, 12]}}
    raw["training_sets"]["mixed"]["structure_set"] = "larger"
    with pytest.raises(ConfigError, match=r"`mixed` has other structures than `single`"):
        load_campaign(raw)
    raw["training_sets"]["single"]["structure_set"] = "larger"
    with pytest.raises(ConfigError, match=r"no test suite has structures like those of `single`"):
        load_campaign(raw)


def test_a_mixture_of_structure_sets_has_every_condition_of_each(raw):
    raw["structure_sets"]["more"] = raw["structure_sets"]["train"] | {"seed": 31}
    raw["training_sets"]["mixed"]["structure_set"] = ["train", "more"]
    campaign = load_campaign(raw)
    (mixture,) = campaign.training_sets["mixed"]
    sets = [campaign.structure_set_of_dataset[id_] for id_ in mixture.datasets]
    assert sets.count("train") == sets.count("more") == len(sets) / 2
    assert sum(mixture.n_images) == raw["training_sets"]["mixed"]["n_images"]
    raw["training_sets"]["mixed"]["structure_set"] = ["more", "train"]
    assert load_campaign(raw).training_sets == campaign.training_sets, "their order has no meaning"


def test_a_suite_of_structure_sets_has_every_condition_of_each(raw):
    conditions = len(load_campaign(raw).suite_of["test"].datasets)
    raw["structure_sets"]["exam"] = raw["structure_sets"]["test"] | {"seed": 32}
    raw["test_suites"]["test"]["structure_set"] = ["test", "exam"]
    assert len(load_campaign(raw).suite_of["test"].datasets) == 2 * conditions
    raw["test_suites"]["test"]["structure_set"] = ["test", "train"]
    with pytest.raises(ConfigError, match="`train` trains"):
        load_campaign(raw)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mixture": False}, "needs `mixture: true`"),
        ({"structure_set": ["train", "fewer"]}, "need the same n_structures"),
        ({"structure_set": ["train", "absent"]}, "there is no `absent`"),
    ],
)
def test_structure_sets_that_cannot_be_mixed_are_told(raw, change, said):
    raw["structure_sets"]["more"] = raw["structure_sets"]["train"] | {"seed": 31}
    raw["structure_sets"]["fewer"] = raw["structure_sets"]["train"] | {"seed": 33, "n_structures": 7}
    raw["training_sets"]["mixed"] |= {"structure_set": ["train", "more"]} | change
    with pytest.raises(ConfigError, match=said):
        load_campaign(raw)


def test_a_new_built_in_predictor_is_computed_for_finished_campaigns(raw, monkeypatch):
    def read():
        campaign = load_campaign(raw)
        return (campaign.predictors_id, campaign.report_id), (campaign.metrics_id, campaign.index_id)

    (before, kept) = read()
    monkeypatch.setitem(registry.PREDICTORS, "another", registry.PREDICTORS["sigma"])
    assert not set(before) & set(read()[0])
    assert read()[1] == kept


@pytest.mark.parametrize("detector", [None, {}, {"gain": 1}, {"mtf": None, "apply_pixel_mtf": False}])
def test_a_detector_at_its_defaults_is_none(raw, detector):
    plain, given_ = load_campaign(raw), load_campaign(merge(raw, {"imaging": {"detector": detector}}))
    assert list(given_.datasets) == list(plain.datasets)
    assert list(load_campaign(merge(raw, {"imaging": {"detector": {"gain": 2}}})).datasets) != list(plain.datasets)


def test_negative_zero_is_zero_in_names_too(raw):
    zero, negative = (
        Condition(defocus_A=value, C12=10, phi12=value, dose_e_per_A2=400, C30=value) for value in (0.0, -0.0)
    )
    assert (negative.slug, negative.label) == (zero.slug, zero.label)
    raw["conditions"]["defocus"]["defocus_A"] = [100, 0.0]
    before = ids(raw)
    raw["conditions"]["defocus"]["defocus_A"] = [100, -0.0]
    assert ids(raw) == before


@pytest.mark.parametrize("kind", ["training_sets", "test_suites"])
def test_the_same_structures_by_two_names_are_refused(raw, kind):
    """A mixture of them would have half of its images, and a suite would count its scores twice."""
    raw["structure_sets"]["again"] = raw["structure_sets"]["train" if kind == "training_sets" else "test"]
    name, user = next((name, each) for name, each in raw[kind].items() if each.get("mixture", kind == "test_suites"))
    first = user["structure_set"]
    user["structure_set"] = [first, "again"]
    with pytest.raises(ConfigError, match=f"{kind}.{name}.structure_set: `{first}` and `again` have the same recipe"):
        load_campaign(raw)
    raw["structure_sets"]["again"] = raw["structure_sets"]["again"] | {"seed": 99}
    load_campaign(raw)


@pytest.mark.parametrize("value", [1e20, 2**63, -1e19])
def test_a_number_that_jobs_could_not_read_is_refused_at_once(raw, value, tmp_path):
    (tmp_path / "f.py").write_text("def f(train, test, scale): return scale\n")
    raw["predictors"] = {"mine": {"file": str(tmp_path / "f.py"), "function": "f", "parameters": {"scale": value}}}
    with pytest.raises(ConfigError, match="too large a number"):
        load_campaign(raw)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("networks", "unet", "channels"), r"networks\.unet\.channels: unknown key"),
        (("networks", "unet", "architecture", "channels"), "this key is called `base_channels` now"),
        (("conditions", "defocus", "dose"), "did you mean `dose_e_per_A2`"),
    ],
)
def test_a_key_is_called_by_its_new_name_only_where_that_is_one(raw, path, message):
    *parents, key = path
    entry = raw
    for parent in parents:
        entry = entry.setdefault(parent, {})
    entry[key] = 4
    with pytest.raises(ConfigError, match=message):
        load_campaign(raw)
