"""Tables and texts on the terminal."""

from hrtem_ood.cli.render.console import WIDTH, folded, make_console, make_table, note, numbers, print_on_terminal

NAMES = ("[red]", "[/x]", ":cat:")


def test_text_is_no_markup(capsys):
    table = make_table("title [red]", "head [/x]", *numbers("n [b]"), folded(":cat:"), caption="below [/y]")
    table.add_row(*NAMES)
    print_on_terminal(table, "line [red] [/x] :cat:", note("on [/x]"))
    text = capsys.readouterr().out
    for words in ("title [red]", "head [/x]", "n [b]", "below [/y]", *NAMES, "line [red] [/x] :cat:", "note: on [/x]"):
        assert words in text


def test_width_is_fixed_where_the_output_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert make_console().width == WIDTH
    print_on_terminal("a " * 100)
    assert 40 < max(map(len, capsys.readouterr().out.splitlines())) <= WIDTH


def test_width_is_that_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert make_console().width == 40
