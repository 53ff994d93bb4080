"""Formulas and diagrams of the documentation are drawn when it is built, so that pages need no scripts from other hosts."""

import html
import re
import unicodedata
from pathlib import Path

import merm
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_DIAGRAM = re.compile(r'<div class="mermaid">(.*?)</div>', re.DOTALL)
_LETTER = re.compile(r'<mi mathvariant="(bold|script)">(\w)</mi>')

_ROLE = re.compile(
    r":(?:attr|class|data|func|mod):<code>(?:[\w.]+\.)?(\w+)</code>"
)  # of docstrings, as Sphinx reads them

_ELSEWHERE = re.compile(
    r'<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?//[^>]*>|class="mermaid"'
)


def on_page_content(content: str, **_: object) -> str:
    """Return a page's HTML with formulas as MathML and diagrams as SVG."""
    content = _FORMULA.sub(lambda found: mathml(html.unescape(found[3]), block=found[2] == "["), content)
    content = _ROLE.sub(r"<code>\1</code>", content)
    return _DIAGRAM.sub(lambda found: svg(html.unescape(found[1])), content)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site whose pages load something from another host; diagrams that were not drawn would."""
    for page in sorted(Path(config.site_dir).rglob("*.html")):
        found = _ELSEWHERE.search(page.read_text())
        if found:
            message = f"{page} loads something from another host: {found[0]}"
            raise PluginError(message)


def mathml(latex: str, *, block: bool) -> str:
    """Return a formula as MathML, which browsers draw by themselves."""
    known = latex.replace(r"\arg", r"\operatorname{arg}")  # a function that the converter does not know
    drawn = convert(known.strip(), display="block" if block else "inline")
    if "\\" in drawn:
        message = f"This formula has a command that latex2mathml does not know: {latex}"
        raise PluginError(message)
    return _LETTER.sub(lambda found: f"<mi>{_styled(found[2], found[1])}</mi>", drawn)


def _styled(letter: str, style: str) -> str:
    """Return a bold or script letter as a character of its own: browsers ignore ``mathvariant``."""
    name = f"{style.upper()} {unicodedata.name(letter).removeprefix('LATIN ').replace(' LETTER', '')}"
    try:
        return unicodedata.lookup(f"MATHEMATICAL {name}")
    except KeyError:
        return unicodedata.lookup(name)  # ℱ and its like are older than the block of the others


def svg(mermaid: str) -> str:
    """Return a Mermaid flowchart as SVG, from top to bottom, since pages are narrow."""
    plain = re.sub(r"</?b>", "", re.sub(r"\A\s*---.*?---\n", "", mermaid, flags=re.DOTALL))  # the renderer has neither
    drawn = merm.render_diagram(plain.replace("flowchart LR", "flowchart TB"))
    return f'<div style="overflow-x: auto">{drawn}</div>'
