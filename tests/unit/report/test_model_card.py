"""The shipped network is the best on the suites that choose, its card tells its scores, and `predict` uses it."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.unit.learning.inference.conftest import random_network
from tests.unit.synthetic import Written

from hrtem_ood.campaign.specs import DatasetSpec, NetworkSpec
from hrtem_ood.cli import main
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference import shipped_network
from hrtem_ood.learning.inference.segment_micrographs import load
from hrtem_ood.report.model_card import choose_network, suite_scores, write_card
from hrtem_ood.stages.metrics import metrics

TRAINED_ON = TrainingDomain((), 3e5, 0.4, 64)


@pytest.fixture
def finished(config: dict[str, Any], make: Callable[..., Written]) -> Written:
    """Return a campaign of which another network is best on each of two suites, with its metrics."""
    config = copy.deepcopy(config)
    config["networks"]["unet"] |= {
        "training_sets": ["mixed"],
        "epochs": 2,
        "architecture": {"name": "unet", "base_channels": 3, "depth": 2},
        "augmentations": [{}, {"blur": {"sigma_px": 0.5}}],
    }
    config["test_suites"] = {
        "choice": {"structure_set": "test", "conditions": "focus"},
        "exam": {"structure_set": "test", "conditions": "trained"},
    }

    def rule(network: NetworkSpec, dataset: DatasetSpec, image: int) -> float:
        seed = network.hyperparameters.seed
        better = seed == 1 if dataset.condition.defocus_A == 0 else seed == 0
        return (0.8 if better else 0.5) + 0.01 * image + 0.02 * bool(network.hyperparameters.augmentations)

    made = make(config, rule=rule)
    metrics(made.campaign, made.results)
    return made


def network_file(made: Written, id_: str) -> Path:
    return random_network(made.results, spec=made.campaign.networks[id_], trained_on=TRAINED_ON)


def test_the_best_on_the_named_suite_is_chosen(finished: Written) -> None:
    campaign, results = finished.campaign, finished.results
    for suite, seed in (("choice", 1), ("exam", 0)):
        choice = choose_network(campaign, results, [suite])
        chosen = campaign.networks[choice.network].hyperparameters
        assert (chosen.seed, bool(chosen.augmentations)) == (seed, True)
        assert list(choice.candidates.f1) == sorted(choice.candidates.f1, reverse=True)
        assert len(choice.candidates) == len(campaign.networks)
    with pytest.raises(ConfigError, match=r"no test suite `exams`; did you mean `exam`\?"):
        choose_network(campaign, results, ["exams"])


def test_scores_are_those_of_the_network_on_each_suite(finished: Written) -> None:
    choice = choose_network(finished.campaign, finished.results, ["choice"])
    table = suite_scores(finished.campaign, finished.results, choice.network).set_index("suite")
    assert table.loc["choice", "median"] == pytest.approx(0.83, abs=1e-6)  # 0.82, 0.83, 0.84
    assert table.loc["exam", "median"] == pytest.approx(0.53, abs=1e-6)
    assert table.in_domain.to_dict() == {"choice": 0, "exam": 1}
    assert table.images.to_dict() == {"choice": 3, "exam": 6}
    assert table.conditions.to_dict() == {"choice": 1, "exam": 2}


@pytest.mark.slow
def test_the_network_is_copied_in_the_place_of_another_and_described(finished: Written, tmp_path: Path) -> None:
    choice = choose_network(finished.campaign, finished.results, ["choice"])
    source = network_file(finished, choice.network)
    folder, page = tmp_path / "shipped", tmp_path / "model_card.md"
    folder.mkdir()
    (folder / "old-0123456789.ckpt").write_bytes(b"an older network")
    shipped = write_card(finished.campaign, finished.results, ["choice"], page, "a command", folder=folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"{choice.network}.ckpt", f"{choice.network}.json"]
    assert shipped == shipped_network.shipped_network(folder)
    assert shipped.read_bytes() == source.read_bytes()
    assert load(shipped).id == choice.network
    about = shipped_network.shipped_scores(shipped)
    assert about["chosen_by"] == ["choice"]
    assert about["domain"]["pixel_size_A"] == 0.4
    assert {row["suite"] for row in about["scores"]} == {"choice", "exam"}
    text = page.read_text(encoding="utf-8")
    for words in (
        choice.network,
        "a command",
        "| exam | all | 2 | 6 | 100 % | 0.53 |",
        "blur(sigma_px=0.5)",
        "from | to",
    ):
        assert words in text
    assert "defocus" in text.lower()


def test_where_the_page_cannot_be_written_the_package_keeps_its_network(finished: Written, tmp_path: Path) -> None:
    network_file(finished, choose_network(finished.campaign, finished.results, ["choice"]).network)
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "old-0123456789.ckpt").write_bytes(b"an older network")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        write_card(
            finished.campaign, finished.results, ["choice"], tmp_path / "file/card.md", "a command", folder=folder
        )
    assert [path.name for path in folder.iterdir()] == ["old-0123456789.ckpt"]


@pytest.mark.slow
def test_a_large_network_is_not_shipped(finished: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose_network(finished.campaign, finished.results, ["choice"])
    network_file(finished, choice.network)
    monkeypatch.setattr(shipped_network, "MOST_BYTES", 100)
    with pytest.raises(ArtifactError, match="at most 100 are shipped"):
        write_card(
            finished.campaign, finished.results, ["choice"], tmp_path / "card.md", "", folder=tmp_path / "shipped"
        )
    assert not (tmp_path / "card.md").exists()


def test_the_verb_writes_page_and_network(finished: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choice = choose_network(finished.campaign, finished.results, ["choice"])
    network_file(finished, choice.network)
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config/config.yaml"
    config.parent.mkdir()
    config.write_text(yaml.safe_dump(finished.campaign.config.model_dump(mode="json", exclude_defaults=True)))
    Path("note.md").write_text("Chosen <by> nobody.\n")
    words = ["ship", "--note", "note.md", "--results", str(finished.results), "--chosen-by", "choice"]
    words += ["--page", str(tmp_path / "card.md"), "--folder", str(tmp_path / "shipped")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert f"shipped {tmp_path / 'shipped' / choice.network}.ckpt" in done.output
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "--chosen-by choice" in card
    assert "Chosen &lt;by> nobody." in card


def test_without_a_shipped_network_one_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="comes with no network"):
        shipped_network.shipped_network(tmp_path)
