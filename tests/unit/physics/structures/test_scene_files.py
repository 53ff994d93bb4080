"""Scenes of one's own: read as they are, told by their content, and refused with the reason."""

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import write
from click.testing import CliRunner

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign, merge
from hrtem_ood.campaign.specs import StructureShardSpec
from hrtem_ood.campaign.structure_inputs import check_inputs
from hrtem_ood.cli import main
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.structures.recipe import StructureFileRecipe
from hrtem_ood.stages.build import build

CELL_A = 12.8


def frame(shift=0.0):
    """A gold dimer on three carbon atoms, one of them beyond the cell's edge."""
    positions = [[1, 1, 2], [3, 1, 2], [CELL_A + 1, 5, 2.5], [5 + shift, 5, 6], [5 + shift, 7.88, 6]]
    atoms = Atoms("C3Au2", positions=positions, cell=[CELL_A, CELL_A, 12], pbc=(True, True, False))
    atoms.set_tags([0, 0, 3, 1, 2])
    return atoms


def recipe(path, **changes):
    return StructureFileRecipe(**{"file": str(path), "sha256": None, "cell_A": CELL_A, "film": "carbon"} | changes)


def built(folder, frames, start=0, stop=1, **changes):
    path = folder / "mine.extxyz"
    write(path, frames)
    spec = StructureShardSpec(recipe=recipe(path, **changes), start=start, stop=stop)
    output = folder / f"{spec.id}.extxyz"
    build(spec, output)
    return store.read_structures(output)


def test_scenes_are_read_as_they_are(tmp_path):
    scenes = built(tmp_path, [frame(0), frame(1), frame(2)], 1, 3)
    assert [scene.info["structure"] for scene in scenes] == [1, 2]
    for scene, shift in zip(scenes, (1, 2), strict=True):
        assert scene.get_chemical_formula() == "C3Au2"
        np.testing.assert_allclose(scene.positions[2], [1, 5, 2.5], atol=1e-8)
        np.testing.assert_allclose(scene.positions[3:], [[5 + shift, 5, 6], [5 + shift, 7.88, 6]], atol=1e-8)
        np.testing.assert_allclose(scene.cell.lengths(), [CELL_A, CELL_A, 12])
        assert scene.get_tags().tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(("film", "tags"), [("tags", [0, 0, 3, 1, 2]), ("none", [1] * 5), ("carbon", [0, 0, 0, 1, 1])])
def test_film_is_told_from_particles(tmp_path, film, tags):
    (scene,) = built(tmp_path, frame(), film=film)
    assert scene.get_tags().tolist() == tags


def changed(**arrays):
    atoms = frame()
    for name, value in arrays.items():
        setattr(atoms, name, value)
    return atoms


def nowhere():
    atoms = frame()
    atoms.positions[3, 1] = np.nan
    return atoms


def twice(beyond):
    """Put an atom where another one is, or near its image beyond the cell's edge."""
    atoms = frame()
    atoms.append("Au")
    atoms.positions[-1] = atoms.positions[3] + [beyond, 0, 0]
    return atoms


def without_tags():
    return Atoms("Au", positions=[[1, 1, 1]], cell=[CELL_A, CELL_A, 12])


@pytest.mark.parametrize(
    ("bad", "changes", "message"),
    [
        (Atoms(cell=[CELL_A, CELL_A, 12], pbc=True), {}, "holds no atoms|is not a file of scenes"),
        (nowhere(), {}, "structure 0: the position of atom 3 is not a number"),
        (changed(cell=[[CELL_A, 0, 0], [3, CELL_A, 0], [0, 0, 12]]), {}, "structure 0: the cell is not orthogonal"),
        (changed(cell=[CELL_A, 20, 12]), {}, r"the cell is 12.8 × 20 Å across the beam, but cell_A = 12.8"),
        (frame(), {"cell_A": 25.6}, r"the cell is 12.8 × 12.8 Å across the beam, but cell_A = 25.6"),
        (changed(cell=[CELL_A, CELL_A, 5]), {}, r"atoms lie at z from 2 to 6 Å, but the cell goes from 0 to 5 Å"),
        (changed(cell=[CELL_A, CELL_A, 0]), {}, "the cell has no height along z"),
        (changed(numbers=[6, 6, 6, 0, 79]), {}, "has atoms of unknown elements"),
        (without_tags(), {"film": "tags"}, "has no column `tags`, which film: tags reads"),
        (twice(0.0), {}, r"structure 0: atoms 3 and 5 are 0 Å apart"),
        (twice(CELL_A - 0.3), {}, r"structure 0: atoms 3 and 5 are 0.3 Å apart"),
        (frame()[:3], {}, "holds no atom of a particle with film: carbon; valid are carbon"),
        (frame()[:2], {"film": "tags"}, "holds no atom of a particle with film: tags"),
    ],
)
def test_scenes_that_cannot_be_simulated_are_refused(tmp_path, bad, changes, message):
    with pytest.raises(ConfigError, match=rf"file: .*mine\.extxyz.*({message})"):
        built(tmp_path, bad, **changes)


def test_too_few_scenes_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"mine\.extxyz holds 2 structures, but `n_structures` needs 3"):
        built(tmp_path, [frame(), frame()], 2, 3)


def test_a_changed_file_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"mine\.extxyz has changed"):
        built(tmp_path, frame(), sha256="00")


def test_what_is_no_scene_is_named(tmp_path):
    path = tmp_path / "it.extxyz"
    path.write_text("what?\n")
    with pytest.raises(ConfigError, match=r"it\.extxyz is not a file of structures that can be read"):
        build(StructureShardSpec(recipe=recipe(path), start=0, stop=1), tmp_path / "x.extxyz")


def configured(raw, path, **changes):
    raw["structure_sets"]["test"] = {"n_structures": 6, "file": str(path), "cell_A": 51.2} | changes
    return raw


def test_a_structure_set_may_be_a_file(raw, tmp_path):
    for name, shift in (("a", 0), ("b", 0), ("c", 1)):
        write(tmp_path / f"{name}.extxyz", [frame(shift)] * 6)
    a, b, c = (load_campaign(configured(raw, tmp_path / f"{name}.extxyz")) for name in "abc")
    assert a.datasets.keys() == b.datasets.keys()  # the content counts, not the name
    assert a.datasets.keys() != c.datasets.keys()
    train, test = a.recipe("train"), a.recipe("test")
    assert train.series != test.series
    assert {build_.recipe.film for build_, _ in a.shards("test")} == {"carbon"}
    other = load_campaign(configured(raw, tmp_path / "a.extxyz", film="none"))
    assert other.recipe("test").series != test.series
    assert len(a.shards("test")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flim": "none"}, r"structure_sets\.test\.flim: unknown key; did you mean `film`\?.*n_structures, file"),
        ({"seed": 3}, r"structure_sets\.test\.seed: unknown key; .*Valid keys: n_structures, file"),
        (
            {"film": "foil"},
            r"structure_sets\.test\.film: must be 'tags', 'carbon' or 'none', not 'foil'\. It is: Atoms of the film",
        ),
        ({"cell_A": None}, r"structure_sets\.test\.cell_A: is missing\. It is: Side of the square"),
        ({"cell_A": 12.85}, r"simulation\.sampling_A: 0\.2 Å does not divide cell_A = 12\.85"),
        ({"file": "no/such.xyz"}, r"structure_sets\.test\.file: no/such\.xyz cannot be read"),
        ({"sha256": "00"}, r"structure_sets\.test\.sha256: .*it is another file"),
    ],
)
def test_mistakes_in_the_configuration_are_named(raw, tmp_path, changes, message):
    write(tmp_path / "a.extxyz", frame())
    with pytest.raises(ConfigError, match=message):
        load_campaign(configured(raw, tmp_path / "a.extxyz", **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"structure_sets": {"test": {"particles": {"stacking_faults": 50}}}},
            r"structure_sets\.test\.particles\.stacking_faults: .* is certain to hold only \d",
        ),
        (
            {"materials": {"CdSe": {"formula": "CdXx"}}},
            r"materials\.CdSe\.formula: `CdXx` with structure `wurtzite` names 'Xx', which is no element",
        ),
        (
            {"materials": {"CdSe": dict.fromkeys(("formula", "structure", "a_A", "c_A")) | {"file": "IT.cif"}}},
            r"materials\.CdSe\.file: .*IT\.cif is not a crystal file",
        ),
        (
            {"structure_sets": {"test": None}},
            r"structure_sets\.test\.file: .*b\.extxyz holds 3 structures, but `n_structures` needs 6 or more; use 3",
        ),
    ],
)
def test_what_a_campaign_names_is_read_before_anything_runs(raw, tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IT.cif").write_text("what?\n")
    check_inputs(load_campaign(raw))
    if changes.get("structure_sets", {}).get("test", {}) is None:
        write(tmp_path / "b.extxyz", [changed(cell=[51.2, 51.2, 12])] * 3)
        made = configured(raw, tmp_path / "b.extxyz")
    else:
        made = merge(raw, changes)
    with pytest.raises(ConfigError, match=message):
        check_inputs(load_campaign(made))


@pytest.mark.parametrize("verb", ["validate", "submit"])
def test_nothing_is_begun_with_a_file_that_cannot_be_read(raw, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.extxyz").write_text("what?\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(configured(raw, "it.extxyz")))
    done = CliRunner().invoke(main, [verb, "mine.yaml"])
    assert done.exit_code == 2, done.output
    assert "structure_sets.test.file: it.extxyz is not a file of structures that can be read" in done.output


def test_one_file_does_not_train_and_test(raw, tmp_path):
    write(tmp_path / "a.extxyz", [frame()] * 20)
    configured(raw, tmp_path / "a.extxyz")
    raw["structure_sets"]["train"] = raw["structure_sets"]["test"] | {"n_structures": 20}
    with pytest.raises(
        ConfigError, match=r"test_suites\.test\.structure_set: `test` has the same recipe and seed as `train`"
    ):
        load_campaign(raw)


def test_a_recipe_is_still_told_as_one(raw):
    raw["structure_sets"]["test"]["sead"] = 3
    with pytest.raises(ConfigError, match=r"structure_sets\.test\.sead: unknown key; did you mean `seed`\?"):
        load_campaign(raw)
