"""Formulas and diagrams of the documentation are drawn when the site is built, and nothing is loaded from elsewhere."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason="the site's packages are installed by `make docs`")

from mkdocs.exceptions import PluginError

FILE = Path(__file__).parents[3] / "docs/mkdocs_hooks.py"


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("mkdocs_hooks", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_formulas_are_drawn(hooks):
    page = hooks.on_page_content(
        r'<p>With <span class="arithmatex">\(\mathbf q &lt; \mathcal F[a]\)</span>:</p>'
        r'<div class="arithmatex">\[\arg \psi\]</div>'
    )
    assert "arithmatex" not in page
    assert page.count('display="inline"') == page.count('display="block"') == 1
    assert "<mi>𝐪</mi><mo>&#x0003C;</mo><mi>ℱ</mi>" in page
    assert "arg" in page
    assert "\\" not in page


def test_roles_of_docstrings_are_shown_as_names(hooks):
    assert (
        hooks.on_page_content("see :func:<code>hrtem_ood.api.cells.read_cells</code>") == "see <code>read_cells</code>"
    )


def test_a_formula_that_cannot_be_drawn_is_told_of(hooks):
    with pytest.raises(PluginError, match=r"latex2mathml does not know: \\nosuch x"):
        hooks.mathml(r"\nosuch x", block=False)


def test_diagrams_are_drawn(hooks):
    page = hooks.on_page_content(
        '<div class="mermaid">---\ntitle: DAG\n---\nflowchart LR\n  a["&lt;b&gt;build&lt;/b&gt;"] --&gt; b[simulate]\n</div>'
    )
    assert page.startswith("<div")
    assert "mermaid" not in page
    assert page.count("<svg") == 1
    assert all(f">{name}<" in page for name in ("build", "simulate"))


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://example.org/a.js">',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img alt="" src="http://example.org/a.png">',
        '<div class="mermaid">',  # whose script would come from elsewhere
    ],
)
def test_a_page_that_loads_something_from_elsewhere_is_refused(hooks, tag, tmp_path):
    site = SimpleNamespace(site_dir=str(tmp_path))
    page = tmp_path / "a.html"
    page.write_text('<a href="https://example.org">a link</a> <script src="../assets/a.js"></script>')
    hooks.on_post_build(site)
    page.write_text(tag)
    with pytest.raises(PluginError, match="another host"):
        hooks.on_post_build(site)
