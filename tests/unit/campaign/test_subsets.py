"""Drawn mixtures, nested fractions of the networks, and jobs of several training sets."""

import pytest

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.errors import ConfigError

MANY = {
    "conditions": {"many": {"defocus_A": [-150, -120, -90, -60, -30, 30, 60, 90, 120, 150], "dose_e_per_A2": 400}},
    "training_sets": {
        "mixed": None,
        "single": {"conditions": "many"},
        "drawn": {
            "structure_set": "train",
            "conditions": "many",
            "mixture": True,
            "drawn": {"n_conditions": [2, 3], "number": 6, "seed": 1},
            "n_images": 12,
            "n_validation_structures": 4,
        },
    },
    "networks": {"unet": {"training_sets": ["single", "drawn"], "learning_rate": [0.01, 0.003], "seed": [0, 1, 2, 3]}},
}


@pytest.fixture
def many(raw):
    return merge(raw, MANY)


def test_drawn_mixtures_are_different_and_of_the_given_sizes(many):
    sets = load_campaign(many).training_sets["drawn"]
    assert [len(each.datasets) for each in sets] == [2] * 6 + [3] * 6
    assert len({each.id for each in sets}) == 12
    assert {sum(each.n_images) for each in sets} == {12}


def test_a_draw_ignores_the_order_of_conditions_and_changes_with_the_seed(many):
    ids = {each.id for each in load_campaign(many).training_sets["drawn"]}
    defoci = MANY["conditions"]["many"]["defocus_A"]
    turned = merge(many, {"conditions": {"many": {"defocus_A": defoci[::-1]}}})
    assert {each.id for each in load_campaign(turned).training_sets["drawn"]} == ids
    other = merge(many, {"training_sets": {"drawn": {"drawn": {"seed": 2}}}})
    assert {each.id for each in load_campaign(other).training_sets["drawn"]} != ids


def test_one_more_condition_leaves_most_mixtures(many):
    ids = {each.id for each in load_campaign(many).training_sets["drawn"]}
    more = merge(many, {"conditions": {"many": {"defocus_A": [*MANY["conditions"]["many"]["defocus_A"], 200]}}})
    assert len(ids & {each.id for each in load_campaign(more).training_sets["drawn"]}) >= 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 23}, "23 different mixtures of 2 are too many to draw from 10 conditions; draw at most 22"),
        ({"n_conditions": 11}, "of 11 are too many to draw from 10 conditions; draw at most 0"),
    ],
)
def test_too_many_mixtures_are_refused(many, change, message):
    with pytest.raises(ConfigError, match=f"training_sets.drawn.drawn.number: .*{message}"):
        load_campaign(merge(many, {"training_sets": {"drawn": {"drawn": change}}}))


def test_mixtures_are_drawn_of_mixtures_only(many):
    with pytest.raises(ConfigError, match="`drawn` needs `mixture: true`"):
        load_campaign(merge(many, {"training_sets": {"drawn": {"mixture": False}}}))


def test_fractions_are_nested_and_of_their_size(many):
    whole = load_campaign(many)
    before: set[str] = set()
    for fraction in (0.01, 0.05, 0.3, 0.31, 0.8, 1.0):
        some = load_campaign(many | {"fraction": fraction})
        networks = set(some.networks)
        assert before <= networks <= set(whole.networks)
        assert abs(len(networks) - fraction * len(whole.networks)) < 1
        assert some.transfer.id == whole.transfer.id
        assert set(some.suites) == set(whole.suites)
        before = networks
    assert before == set(whole.networks)


def test_a_fraction_has_all_training_sets_before_second_networks(many):
    def chosen(fraction):
        networks = load_campaign(many | {"fraction": fraction}).networks.values()
        return {each.training_set for each in networks}, {
            (each.hyperparameters.learning_rate, each.hyperparameters.seed) for each in networks
        }

    sets, choices = chosen(1 / 8)
    assert (len(sets), choices) == (22, {(0.01, 0)})
    sets, choices = chosen(4 / 8)
    assert (len(sets), choices) == (22, {(0.01, 0), (0.01, 1), (0.003, 0), (0.003, 1)})


def test_a_fraction_below_one_network_each_mixes_the_entries(many):
    campaign = load_campaign(many | {"fraction": 0.0625})
    names = [
        name for name, sets in campaign.training_sets.items() for each in sets if each.id in campaign.training_set_ids
    ]
    assert sorted(names) == ["drawn"] * 6 + ["single"] * 5


@pytest.mark.parametrize("fraction", [0, 1.5, "half"])
def test_a_fraction_lies_between_0_and_1(many, fraction):
    with pytest.raises(ConfigError, match="fraction"):
        load_campaign(many | {"fraction": fraction})


def test_jobs_of_several_training_sets_have_the_same_networks(many):
    each = load_campaign(many)
    joined = load_campaign(merge(many, {"execution": {"training_sets_per_job": 6, "networks_per_job": 100}}))
    assert set(joined.networks) == set(each.networks)
    assert joined.metrics_id == each.metrics_id
    assert len(joined.packs) < len(each.packs) / 2
    assert max(len(pack.training_sets) for pack in joined.packs.values()) <= 6
    assert sorted(network.id for pack in joined.packs.values() for network in pack.networks) == sorted(each.networks)
    for id_, pack in joined.packs.items():
        assert {spec.id for spec in pack.training_sets} == {network.training_set for network in pack.networks}
        assert [artifact.id for artifact in dag.job_inputs(joined, "packs", id_)] == list(pack.datasets)


def test_one_more_training_set_changes_few_jobs(many):
    execution = {"execution": {"training_sets_per_job": 4, "networks_per_job": 100}}
    before = load_campaign(merge(many, execution))
    more = {"conditions": {"many": {"defocus_A": [*MANY["conditions"]["many"]["defocus_A"], 200]}}}
    without = {"networks": {"unet": {"training_sets": "single"}}}
    few, one_more = (
        load_campaign(merge(each, execution)) for each in (merge(many, without), merge(merge(many, without), more))
    )
    assert len(before.packs) > len(few.packs)
    assert len(set(one_more.packs) - set(few.packs)) <= 2


def test_a_run_makes_and_counts_no_dataset_that_it_does_not_need(many):
    campaign = load_campaign(merge(many, {"fraction": 0.01, "execution": {"datasets_per_job": 4}}))
    needed = dag.missing_artifacts(campaign, lambda *_: False)["datasets"]
    assert len(needed) < len(campaign.datasets)
    assert sorted(id_ for batch in dag.image_batches(campaign, needed) for id_ in batch) == sorted(needed)
    assert dag.job_counts(campaign)["image"] == len(dag.image_batches(campaign, needed))


def test_missing_datasets_are_imaged_in_batches_from_the_same_waves(many):
    campaign = load_campaign(merge(many, {"execution": {"datasets_per_job": 4}}))
    there = next(iter(campaign.datasets))
    batches = dag.image_batches(campaign, campaign.datasets.keys() - {there})
    assert sorted(id_ for batch in batches for id_ in batch) == sorted(set(campaign.datasets) - {there})
    assert max(map(len, batches)) <= 4
    for batch in batches:
        assert len({tuple(shard.id for shard in campaign.exit_waves_of[id_]) for id_ in batch}) == 1
