"""CONTRIBUTING.md and docs/design.md describe the package as it is."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src/hrtem_ood"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PAGES = [ROOT / "CONTRIBUTING.md", *(page for page in [ROOT / "docs/design.md"] if page.exists())]


def section(text: str, heading: str) -> str:
    """Return what follows a heading of the second level, up to the next."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, heading
    return match[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of Markdown tables, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    heads = {index - 1 for index, row in enumerate(cells) if set(row[0]) == {"-"}}
    return [row for index, row in enumerate(cells) if index not in heads and set(row[0]) != {"-"}]


TO_ADD = rows(section(CONTRIBUTING, "To add X, touch Y"))


def test_the_table_has_its_rows():
    wanted = ("aberration", "image parameter", "predictor", "architecture", "figure", "verb", "stage")
    assert [word for word in wanted if not any(word in row[0] for row in TO_ADD)] == []


@pytest.mark.parametrize("row", TO_ADD, ids=lambda row: row[0])
def test_paths_to_touch_exist(row):
    paths = re.findall(r"`([^`]+)`", row[1])
    assert len(paths) >= 2
    for path in paths:
        base = ROOT if path.startswith(("workflow/", "Snakefile")) else PACKAGE
        assert [each for each in base.glob(path.replace("<name>", "*")) if each.name != "__init__.py"], path


def test_the_table_of_rooms_is_complete():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {row[0].strip("`") for row in rows(section(CONTRIBUTING, "Rooms"))} == rooms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_import_order_is_that_of_the_linter(page):
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [[name.strip() for name in layer.split(":")] for layer in contract["layers"]]
    (block,) = re.findall(r"^    (cli, api → .*\n(?:    .*\n)*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [[name.strip() for name in layer.split(",")] for layer in block.split("→")] == layers


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", CONTRIBUTING)) <= targets


def test_the_places_that_the_design_names_exist():
    design = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    places = [re.findall(r"`([^`]+\.py)`", row[1]) for row in rows(section(design, "Rooms")) if ".py" in row[1]]
    assert len(places) >= 10
    assert [path for paths in places for path in paths if not (PACKAGE / path).exists() and "/" in path] == []
