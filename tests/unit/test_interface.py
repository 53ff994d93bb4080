"""The package itself: its names, and that importing it costs nothing."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hrtem_ood


def test_type_checkers_see_the_names_that_exist():
    tree = ast.parse(inspect.getsource(hrtem_ood))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(imported) == sorted(hrtem_ood.__all__)
    found = {name: getattr(hrtem_ood, name).__module__ for name in hrtem_ood.__all__}
    assert found == imported


ROOT = Path(__file__).parents[2]
EXAMPLES = [path for path in Path(hrtem_ood.__file__).parent.rglob("*.py") if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_of_docstrings_work(path, tmp_path, monkeypatch):
    """Examples that need no campaign; tests/workflow/test_api.py runs the others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")  # of which examples read published data
    name = ".".join(path.relative_to(Path(hrtem_ood.__file__).parents[1]).with_suffix("").parts)
    module, finder = importlib.import_module(name), doctest.DocTestFinder()
    found = [each for each in finder.find(module) if each.examples and "hrtem_ood.load_" not in each.docstring]
    differences: list[str] = []
    for each in found:
        doctest.DocTestRunner(verbose=False).run(each, out=differences.append)
    assert "".join(differences) == ""


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import hrtem_ood; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set(ast.literal_eval(done.stdout)) <= {"hrtem_ood"}


def test_campaigns_load_without_what_is_heavy():
    code = (
        "import sys, hrtem_ood; hrtem_ood.load_campaign; hrtem_ood.Condition; hrtem_ood.epsilon; hrtem_ood.load_network; "
        "print(sorted({'torch', 'abtem', 'xarray', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("energy_eV", [300, 0, float("nan"), 1e9])
def test_an_energy_that_no_microscope_has_is_refused(energy_eV):
    condition = hrtem_ood.Condition(defocus_A=50, dose_e_per_A2=400)
    with pytest.raises(
        hrtem_ood.ArgumentError, match=r"energy_eV: must be from 10000 to 3e\+06 eV, .* 300 keV are 300e3"
    ):
        hrtem_ood.epsilon(condition, energy_eV=energy_eV, pixel_size_A=0.4)
    with pytest.raises(hrtem_ood.ArgumentError, match="energy_eV"):
        hrtem_ood.sigma(condition, condition, energy_eV=energy_eV, pixel_size_A=0.4)
