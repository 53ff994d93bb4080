"""Every kind of mistake gives a message that names the key, what was wrong and what would be valid."""

import json

import pytest
from click.testing import CliRunner

from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.cli import main
from hrtem_ood.errors import ConfigError

MISTAKES = {
    "unknown key": (
        {"conditions": {"defocus": {"defokus_A": 3}}},
        ["conditions.defocus.defokus_A", "did you mean `defocus_A`?"],
    ),
    "unknown key at the top": ({"simulatoin": {}}, ["simulatoin", "did you mean `simulation`?"]),
    "unknown key in a grid of models": (
        {"networks": {"unet": {"architecture": {"chanels": 4}}}},
        ["networks.unet.architecture.chanels: unknown key", "did you mean `base_channels`?", "depth, file"],
    ),
    "unknown key in a list of models": (
        {"networks": {"unet": {"architecture": [{"depth": 2}, {"chanels": 4}]}}},
        ["networks.unet.architecture.1.chanels: unknown key", "did you mean `base_channels`?"],
    ),
    "a bad value in a list of models": (
        {"networks": {"unet": {"architecture": [{"depth": 2}, {"depth": 7}]}}},
        [
            "networks.unet.architecture.1.depth: must be",
            "less than or equal to 6, not 7",
            "Number of 2× down-samplings",
        ],
    ),
    "a bad value in a list": (
        {"networks": {"unet": {"learning_rate": [1e-3, 3]}}},
        ["networks.unet.learning_rate.1: must be less than or equal to 1, not 3", "Largest learning rate"],
    ),
    "a name for an architecture": (
        {"networks": {"unet": {"architecture": "unet"}}},
        ["networks.unet.architecture: must be a mapping of keys to values, not 'unet'"],
    ),
    "unknown architecture": (
        {"networks": {"unet": {"architecture": {"name": "resnetunet", "base_channels": 8}}}},
        [
            "networks.unet.architecture: there is no architecture `resnetunet`",
            "did you mean `resnet_unet`?",
            "Use `unet` or `resnet_unet`, or give the `file`",
        ],
    ),
    "an architecture's name that is none": (
        {"networks": {"unet": {"architecture": {"name": ["unet"]}}}},
        ["networks.unet.architecture.name: must be a valid string"],
    ),
    "parameters of a built-in architecture": (
        {"networks": {"unet": {"architecture": {"name": "resnet_unet", "parameters": {"channels": 8}}}}},
        [
            "networks.unet.architecture",
            "`parameters` and `sha256` are valid with `file` only",
            "`resnet_unet` takes `base_channels`",
        ],
    ),
    "channels of an architecture of one's own": (
        {"networks": {"unet": {"architecture": {"name": "Own", "file": __file__, "base_channels": 8}}}},
        ["networks.unet.architecture: with `file`, write `base_channels` and `depth` under `parameters`"],
    ),
    "a parameter that is a list": (
        {"networks": {"unet": {"architecture": {"name": "Own", "file": __file__, "parameters": {"a": [1, 2]}}}}},
        ["networks.unet.architecture.parameters.a: must be a number, text, true or false, not [1, 2]"],
    ),
    "a parameter that is not finite": (
        {"networks": {"unet": {"architecture": {"name": "Own", "file": __file__, "parameters": {"a": float("nan")}}}}},
        ["networks.unet.architecture.parameters.a: must be a finite number", "not nan"],
    ),
    "missing file of an architecture": (
        {"networks": {"unet": {"architecture": [{}, {"name": "Own", "file": "no/such.py"}]}}},
        ["networks.unet.architecture.file: no/such.py cannot be read", "the Python file that defines the architecture"],
    ),
    "another file of an architecture": (
        {"networks": {"unet": {"architecture": {"name": "Own", "file": __file__, "sha256": "ab"}}}},
        ["networks.unet.architecture.sha256", "has the digest", "it is another file"],
    ),
    "neither epochs nor steps": (
        {"networks": {"unet": {"epochs": None}}},
        ["networks.unet: give either `epochs` or `steps`; both are missing."],
    ),
    "epochs and steps": (
        {"networks": {"unet": {"steps": 100}}},
        ["networks.unet: give either `epochs` or `steps`, not both."],
    ),
    "epochs that may be missing": (
        {"networks": {"unet": {"epochs": [1, None]}}},
        ["networks.unet: give either `epochs` or `steps`; both are missing."],
    ),
    "unknown loss": (
        {"networks": {"unet": {"loss": "dice"}}},
        ["networks.unet.loss: must be 'cross_entropy' or 'cross_entropy_dice', not 'dice'"],
    ),
    "images of one stride": (
        {"networks": {"unet": {"architecture": {"depth": 6}}}, "imaging": {"pixel_size_A": 0.8}},
        ["images of structure_sets.train, structure_sets.test are 64 px wide", "twice or more, of 64"],
    ),
    "a cycle of one step": (
        {"networks": {"unet": {"epochs": 1, "batch_size": [4, 16]}}},
        ["networks.unet.lr_schedule: one_cycle needs two steps or more, but 16 images in batches of 16 give one"],
    ),
    "fresh noise of stored counts": (
        {"networks": {"unet": {"resample_noise": [False, True]}}},
        ["networks.unet.resample_noise: `true` needs noise-free images", "imaging.store_noise_free to true"],
    ),
    "images that are no number": (
        {"training_sets": {"single": {"n_images": "many"}}},
        ["training_sets.single.n_images: must be a valid integer", "not 'many'", "Training images per training set"],
    ),
    "no images of a condition": (
        {"training_sets": {"mixed": {"n_images": {"defocus": 9, "dose": 0}}}},
        ["training_sets.mixed.n_images.dose: must be greater than or equal to 1, not 0"],
    ),
    "a truth value for images of a condition": (
        {"training_sets": {"mixed": {"n_images": {"defocus": 9, "dose": True}}}},
        ["training_sets.mixed.n_images.dose: must be a number, not true or false"],
    ),
    "images by condition without mix": (
        {"training_sets": {"single": {"n_images": {"defocus": 9}}}},
        ["training_sets.single.n_images: numbers by condition need `mixture: true`"],
    ),
    "images of some conditions": (
        {"training_sets": {"mixed": {"n_images": {"defocus": 9}}}},
        ["training_sets.mixed.n_images: must have the names under `conditions` (defocus, dose)", "not defocus."],
    ),
    "images of unknown conditions": (
        {"training_sets": {"mixed": {"n_images": {"defocus": 9, "dose": 9, "tilt": 9}}}},
        [
            "training_sets.mixed.n_images: must have the names under `conditions` (defocus, dose)",
            "not defocus, dose, tilt.",
        ],
    ),
    "more images of a condition than structures": (
        # 32 in equal shares of two conditions, of which one has a share of the 9 others, too
        {"training_sets": {"mixed": {"n_images": {"defocus": 9, "dose": 32}}}},
        ["training_sets.mixed.n_images: 19 images are needed under one condition, 41 in all", "give 16 each"],
    ),
    "fewer images of a grid than conditions": (
        {"training_sets": {"mixed": {"n_images": {"defocus": 2, "dose": 4}}}},
        ["training_sets.mixed.n_images.defocus: 2 images cannot cover 3 conditions"],
    ),
    "a negative time": (
        {"execution": {"checkpoint_interval_s": -1}},
        ["execution.checkpoint_interval_s: must be", "not -1"],
    ),
    "wrong type": (
        {"simulation": {"n_frozen_phonons": "many"}},
        ["simulation.n_frozen_phonons", "valid integer", "'many'", "Frozen-phonon"],
    ),
    "a truth value for a number": (
        {"conditions": {"dose": {"dose_e_per_A2": True}}},
        ["conditions.dose", "`dose_e_per_A2` needs a number"],
    ),
    "a list where a mapping belongs": ({"imaging": [1]}, ["imaging", "must be a mapping of keys to values, not [1]"]),
    "out of bounds": (
        {"conditions": {"dose": {"dose_e_per_A2": -5}}},
        ["conditions.dose.dose_e_per_A2", "greater than or equal to 0.01", "not -5", "Dose [e/Å²]"],
    ),
    "degrees for radians": ({"conditions": {"dose": {"phi12": 45}}}, ["conditions.dose.phi12", "3.1416", "rad"]),
    "missing key": ({"imaging": {"pixel_size_A": None}}, ["imaging.pixel_size_A", "is missing", "Pixel of the images"]),
    "empty grid": (
        {"conditions": {"dose": {"dose_e_per_A2": []}}},
        ["conditions.dose.dose_e_per_A2", "the grid is empty"],
    ),
    "a value twice": ({"networks": {"unet": {"seed": [1, 1]}}}, ["networks.unet.seed", "each value once"]),
    "a range upside down": (
        {"structure_sets": {"test": {"particles": {"radius_A": [9, 8]}}}},
        ["particles.radius_A", "[8.0, 9.0]"],
    ),
    "bad name": ({"campaign": "my campaign/1"}, ["campaign", "must be a letter from A to Z"]),
    "bad name of an entry": (
        {"test_suites": {"a b": {"structure_set": "test", "conditions": "dose"}}},
        ["suites.a b", "must be a letter from A to Z"],
    ),
    "unknown reference": (
        {"test_suites": {"test": {"conditions": ["defocsu"]}}},
        ["suites.test.conditions", "no `defocsu` under `conditions`", "did you mean `defocus`?"],
    ),
    "unknown material": (
        {"structure_sets": {"test": {"material": "Au"}}},
        ["structure_sets.test.material", "`Au`", "CdSe"],
    ),
    "sampling too coarse for the images": (
        {"simulation": {"sampling_A": 0.4}},
        ["imaging.pixel_size_A", "sampling_A ≤ 0.2667"],
    ),
    "sampling too coarse for the aperture": (
        {"conditions": {"dose": {"aperture_mrad": 40}}},
        ["conditions.dose.aperture_mrad", "40 mrad", "an aperture up to 24.6"],
    ),
    "pixel that does not divide the cell": (
        {"imaging": {"pixel_size_A": 0.43}},
        ["imaging.pixel_size_A", "0.430252 Å would"],
    ),
    "particle larger than the cell": (
        {"structure_sets": {"test": {"particles": {"radius_A": [8, 30]}}}},
        ["structure_sets.test.particles.radius_A", "need 70 Å", "radii up to 20.6 Å fit"],
    ),
    "too many particles": (
        {"structure_sets": {"test": {"particles": {"count": [1, 9]}}}},
        ["structure_sets.test.particles.count", "up to 2 do"],
    ),
    "test structures that train": (
        {"test_suites": {"test": {"structure_set": "train"}}},
        ["test_suites.test.structure_set", "`train` trains", "another seed"],
    ),
    "test structures equal to training ones by seed": (
        {"structure_sets": {"test": {"seed": 1}}},
        ["test_suites.test.structure_set", "same recipe and seed as `train`"],
    ),
    "missing crystal file": (
        {"materials": {"CdSe": {"formula": None, "structure": None, "a_A": None, "c_A": None, "file": "no/such.cif"}}},
        ["materials.CdSe.file", "no/such.cif cannot be read"],
    ),
    "no source of a crystal": (
        {"materials": {"CdSe": {"formula": None}}},
        ["materials.CdSe: give either `preset`, or"],
    ),
    "stacking faults of an unknown kind": (
        {
            "materials": {"CdSe": {"structure": "zincblende", "c_A": None}},
            "structure_sets": {"test": {"particles": {"stacking_faults": 1}}},
        },
        ["structure_sets.test.particles.stacking_faults", "fault_normal"],
    ),
    "more images than structures": (
        {"training_sets": {"single": {"n_images": 17}}},
        ["training_sets.single.n_images", "use at most 16"],
    ),
    "fewer images than conditions": (
        {"training_sets": {"mixed": {"n_images": 3}}},
        ["training_sets.mixed.n_images", "3 images cannot cover 4 conditions"],
    ),
    "validation takes all": (
        {"training_sets": {"mixed": {"n_validation_structures": 20}}},
        ["training_sets.mixed.n_validation_structures", "at most 19"],
    ),
    "images that the network cannot halve": (
        {"networks": {"unet": {"architecture": {"depth": 6}}}, "imaging": {"pixel_size_A": 0.32}},
        ["networks.unet.architecture", "160 px wide", "twice or more, of 64"],
    ),
    "a campaign like a folder": ({"campaign": "datasets"}, ["campaign: `datasets` is a folder of the results"]),
    "band upside down": ({"transfer": {"q_max_per_A": 0.01}}, ["transfer.q_max_per_A", "above q_min_per_A"]),
}


@pytest.mark.parametrize(("change", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told(raw, change, expected):
    with pytest.raises(ConfigError) as caught:
        load_campaign(merge(raw, change))
    message = str(caught.value)
    for words in expected:
        assert words in message
    assert message.startswith("The configuration has a mistake:"), "one mistake, one message"


def test_all_mistakes_are_told_at_once(raw):
    with pytest.raises(ConfigError, match="3 mistakes") as caught:
        load_campaign(merge(raw, {"labels": {"blur": 1}, "imaging": {"pixel_size_A": 0}, "campaign": 7}))
    assert all(key in str(caught.value) for key in ("labels.blur", "imaging.pixel_size_A", "campaign"))


def test_the_small_configuration_is_valid(raw):
    load_campaign(raw)


def run(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    return CliRunner().invoke(main, ["validate", "c.yaml"])


def test_command_ends_with_2_and_writes_nothing(tmp_path, monkeypatch, raw):
    result = run(tmp_path, monkeypatch, json.dumps(raw | {"labels": {"blur": 1}}))
    assert result.exit_code == 2
    assert result.output.startswith("hrtem-ood: The configuration has a mistake:")
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "c.yaml: is not valid YAML"),
        ("- 1", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: 1\na: 2", "`a` occurs twice"),
    ],
)
def test_what_is_not_yaml_is_told(tmp_path, monkeypatch, text, words):
    result = run(tmp_path, monkeypatch, text)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_missing_file_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["validate", "none.yaml"])
    assert result.exit_code == 2
    assert "none.yaml: cannot be read (No such file or directory)" in result.output


def test_valid_configuration_is_summed_up(tmp_path, monkeypatch, raw):
    result = run(tmp_path, monkeypatch, json.dumps(raw))
    assert result.exit_code == 0
    for words in ("Campaign small", "26", "structures: 20 train, 6 test", "8", "networks on 4 training sets"):
        assert words in result.output


def test_an_id_that_the_campaign_does_not_ask_for_is_told(tmp_path, monkeypatch, raw):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(json.dumps(raw))
    result = CliRunner().invoke(main, ["stage", "build", "Au-0-8-0123456789", "--config", "mine.yaml"])
    assert result.exit_code == 1
    assert "Au-0-8-0123456789: campaign" in result.output
    assert "has no structures of that id" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
