"""Pictures of scenes and conditions, from scratch and from what is there."""

import textwrap

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import write
from click.testing import CliRunner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.cli import main
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.structures.scene import draw_scenes
from hrtem_ood.report.previews import conditions
from hrtem_ood.report.previews.conditions import draw_conditions
from hrtem_ood.report.previews.scenes import first_scenes, key_of
from hrtem_ood.stages.example_images import ExampleImages

PNG = b"\x89PNG"


@pytest.fixture
def small(raw, tmp_path):
    """A campaign of 12.8 Å cells, one set of which is a file."""
    raw["structure_sets"]["train"] |= {"cell_A": 12.8, "particles": {"radius_A": 3, "separation_A": 2}}
    frames = [Atoms("CAu", positions=[[1, 1, 1], [x, 5, 4]], cell=[12.8, 12.8, 8]) for x in range(6)]
    write(tmp_path / "mine.extxyz", frames)
    raw["structure_sets"]["test"] = {"n_structures": 6, "file": str(tmp_path / "mine.extxyz"), "cell_A": 12.8}
    raw["networks"]["unet"]["architecture"] = {"depth": 2}
    return raw


def run(folder, raw, *words):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(raw))
    # the files of the campaign come last, so that the laptop campaign's own entries stay out
    done = CliRunner().invoke(main, ["preview", *words, str(path), "--output", str(folder / "out")])
    assert done.exit_code == 0, done.output
    return done


def test_scenes_are_drawn_as_they_are_built(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path, small, "structures", "--number", "2")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"structures-train.png", "structures-test.png"}
    assert all(path.read_bytes().startswith(PNG) for path in (tmp_path / "out").iterdir())
    campaign = load_campaign(small)
    train, test = (first_scenes(campaign, name, 2) for name in ("train", "test"))
    assert train == draw_scenes(campaign.recipe("train"), [0, 1])
    assert [scene.positions[1, 0] for scene in test] == [0, 1]


def test_conditions_are_drawn_from_scratch(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conditions, "ROWS", 1)
    small["conditions"]["defocus"] = {"defocus_A": 50, "dose_e_per_A2": 400}
    small["conditions"]["dose"] = [{"defocus_A": 10 * n, "dose_e_per_A2": 400, "C12_sd": 3} for n in range(2)]
    done = run(tmp_path, small, "conditions", "--results", str(tmp_path / "none"), "--device", "cpu")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"conditions-defocus.png", "conditions-dose-1.png", "conditions-dose-2.png"}
    assert "simulating the first structure of train" in done.output
    assert not (tmp_path / "none").exists()


def test_examples_come_from_datasets_that_are_there(small, tmp_path):
    campaign = load_campaign(small)
    examples = ExampleImages(campaign, tmp_path / "results", tmp_path / "scratch", "cpu")
    first, second, *_ = campaign.conditions["defocus"]
    made = examples.of(first)
    assert made.source == "first of train, one phonon"
    assert made.counts.shape == (32, 32)
    dataset = store.read_zarr(next((tmp_path / "scratch" / "datasets").iterdir()))
    id_ = next(id_ for id_, spec in campaign.datasets.items() if spec.condition == second)
    known = dataset.assign(counts=dataset.counts * 0 + 7)
    store.write_zarr(Results(tmp_path / "results").path("datasets", id_), known, {"id": id_})
    there = examples.of(second)
    assert there.source == "dataset"
    np.testing.assert_array_equal(there.counts, 7)
    (page,) = draw_conditions("defocus", campaign.conditions["defocus"], campaign.config, examples.of)
    assert page.startswith(PNG)


def test_every_element_has_a_colour_and_a_name(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    campaign = load_campaign(small)
    train, test = (key_of(first_scenes(campaign, name, 2)) for name in ("train", "test"))
    assert list(train) == ["Se", "Cd"], "the recipe has no film"
    assert list(test) == ["Au", "film (C)"]
    assert train["Se"] != train["Cd"]


def test_a_set_is_named_before_its_scenes_are_made(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first_scenes(load_campaign(small), "train", 2)
    assert "structures of train: 0/2" in capsys.readouterr().err


def test_titles_of_many_parameters_stay_on_the_page():
    many = dict.fromkeys(("C21", "C23", "C30", "C32", "C34", "C41", "C43", "C45", "C50", "C52", "C54", "C56"), 1000.0)
    condition = Condition(defocus_A=50, dose_e_per_A2=400, **many)
    assert len(condition.label) > conditions.CHARACTERS
    figure = Figure(figsize=(conditions.WIDTH, 3))
    text = figure.suptitle(textwrap.fill(condition.label, conditions.CHARACTERS), fontsize=8)
    FigureCanvasAgg(figure).draw()
    box = text.get_window_extent()
    assert 0 < box.x0 < box.x1 < figure.bbox.width
