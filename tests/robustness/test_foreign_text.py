"""Hostile names and messages, at random from a seed: nothing that shows them obeys them."""

import random
import re
from html.parser import HTMLParser

import jinja2

from hrtem_ood.cli.output import print_json, print_text
from hrtem_ood.cli.render.console import folded, make_table, note, print_on_terminal
from hrtem_ood.errors import UNPRINTABLE, printable
from hrtem_ood.report import templates

PARTS = (
    "[red]", "[/x]", "[/bold]", "[link=file:///]", ":cat:", "<script>alert(1)</script>", "<img src=x onerror=y>", "a|b",
    "](javascript:z)", "![", "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\n# ", "\x00", "\u202e", "\udc80", "`", "&lt;",
    "{{ 7 * 7 }}", "{% x %}", "%s", "${HOME}", "é", "Å", "\t",
)  # fmt: skip
TEXTS = 1000


def hostile(seed: int) -> list[str]:
    rng = random.Random(seed)  # no secret
    return ["".join(rng.choices(PARTS, k=rng.randint(1, 6))) for _ in range(TEXTS)]


def test_terminal_shows_them_as_text(capsys):
    table = make_table("title", "head", folded("other"))
    texts = hostile(1)
    for text in texts:
        table.add_row(text, text)
    print_on_terminal(table, *texts, *map(note, texts), make_table(texts[0], texts[1], caption=texts[2]))
    for text in texts:
        print_text(text)
        print_json({text.replace("\udc80", ""): text})
    shown = capsys.readouterr().out
    assert not set(re.findall(UNPRINTABLE, shown))
    for word in ("[red]", "[/x]", ":cat:", "<script>", r"\x1b[2J", r"\u202e", r"\udc80"):
        assert shown.count(word) > TEXTS / 10


def test_markdown_opens_no_html_no_link_and_no_line():
    for text in hostile(2):
        shown = templates.markdown_value(text)
        assert "<" not in shown
        assert "](" not in shown
        assert len(shown.splitlines()) <= 1
        assert not re.search(r"(?<!\\)\|", shown)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag, _attrs):
        self.found.add(tag)


def test_html_opens_no_tag(monkeypatch):
    loader = jinja2.DictLoader({"x.html": '<p title="{{ text }}">{{ text }}</p>'})
    monkeypatch.setattr(jinja2, "PackageLoader", lambda *_, **__: loader)
    template = templates.load_template("x.html", html=True)
    for text in hostile(3):
        page = Tags()
        page.feed(template.render(text=text))
        assert page.found == {"p"}


def test_what_is_shown_is_shown_the_same_way_again():
    for text in hostile(4):
        assert printable(printable(text)) == printable(text)
