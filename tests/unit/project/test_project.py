"""What the project says of itself agrees: license, versions, citation, and the links of its pages."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_license_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == CITATION["license"] == "GPL-3.0-or-later"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert text.split()[:7] == ["GNU", "GENERAL", "PUBLIC", "LICENSE", "Version", "3,", "29"]
    sections = re.findall(r"^  (\d+)\. ", text, re.MULTILINE)
    assert sections == [str(number) for number in range(18)]
    assert "END OF TERMS AND CONDITIONS" in text
    assert text.rstrip().endswith("<https://www.gnu.org/licenses/why-not-lgpl.html>.")


def test_the_citation_has_what_its_format_asks_for():
    assert {"cff-version", "message", "title", "authors"} <= CITATION.keys()
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"
    assert CITATION["authors"] == PROJECT["authors"]
    for reference in CITATION["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
        assert all({"family-names", "given-names"} <= author.keys() for author in reference["authors"])
    identifiers = {reference.get("doi", reference["url"]) for reference in CITATION["references"]}
    assert identifiers == {"https://arxiv.org/abs/2512.09067", "10.12688/openreseurope.13015.1"}


def test_versions_agree():
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert CITATION["version"] == PROJECT["version"] == headings[1][0]
    assert all(date for _, date in headings[1:])
    assert re.findall(r"^## ", text, re.MULTILINE) == ["## "] * len(headings)


def test_the_workflow_catalog_is_told_what_it_asks():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert set(deployment) == {"conda", "apptainer", "apptainer+conda", "report"}
    # True only where the rules say so.
    rules = "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
    assert deployment["conda"] == bool(re.search(r"^\s+conda:", rules, re.MULTILINE))
    assert deployment["apptainer"] == bool(re.search(r"^\s*container:", rules, re.MULTILINE))
    assert deployment["report"] == bool(re.search(r"\breport\(", rules))


PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "config").glob("*.md"),
    *(ROOT / "results").glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Files are looked up; sections are, too, by the names that hosts of Git repositories give to headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+://", link):
            continue
        file, _, section = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (section and section not in _sections(target)):
            broken.append(link)
    assert broken == []


def _sections(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_within_lists_are_indented_as_the_site_needs_it(page):
    """By four: two are enough for hosts of Git repositories, but not for the site, which would end the list there."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert re.findall(r"\n\n( {1,3}\S.*)", text) == []


def test_commits_are_checked_as_make_lint_checks_the_tree():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    lines = [line.strip().removeprefix("$(BIN)/") for line in recipe[1].splitlines()]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    entries = [hook["entry"].removeprefix(".venv/bin/").removesuffix(" --force-exclude") for hook in local["hooks"]]
    assert len(entries) == len(lines)
    # `make lint` names the files, where the hooks are given them.
    assert all(line == entry or line.startswith(f"{entry} ") for entry, line in zip(entries, lines, strict=True))
