"""The command line as a whole: its help, its old names, and how it ends with an error."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from hrtem_ood.campaign.stage_table import JOB_STAGES
from hrtem_ood.cli import main
from hrtem_ood.cli.main import SECTIONS
from hrtem_ood.cli.renamed import RENAMED_COMMANDS, RENAMED_OPTIONS


def commands(group=main, path=()):
    """Yield all verbs with the words that call them."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


VERBS = dict(commands())


def run(*words):
    return CliRunner().invoke(main, words, terminal_width=80)


def test_help_lists_what_people_type_in_full_lines():
    text = run("--help").output
    listed = [verb.name for verbs in SECTIONS.values() for verb in verbs]
    assert set(listed) == set(main.commands) - {"stage", "job"}
    lines = text[text.index("Before a run:") :].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == listed
    assert not [line for line in lines if line.endswith("...")]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_has_help(words):
    done = run(*words, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {' '.join(words)}")
    for parameter in VERBS[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} has no help"


def test_stage_verbs_are_the_rules_of_the_workflow():
    group, rules = main.commands["stage"], {stage.rule for stage in JOB_STAGES.values()}
    assert set(group.commands) <= rules
    assert all(group.get_command(None, rule) is not None for rule in rules)  # some are made from the table alone
    assert group.get_command(None, "bake") is None
    assert run("stage", "--help").exit_code == 0


@pytest.mark.parametrize(("old", "new"), RENAMED_COMMANDS.items())
def test_an_old_verb_is_answered_with_its_new_name(old, new):
    done = run(old, "--config", "c.yaml")
    assert done.exit_code == 2
    assert f"No such command '{old}'. It is called `{new}` now." in done.output
    assert all(tuple(name.split()) in VERBS for name in new.replace("`", "").replace(" or ", ", ").split(", "))


@pytest.mark.parametrize(("verb", "old"), RENAMED_OPTIONS)
def test_an_old_option_is_answered_with_its_new_name(verb, old):
    new = RENAMED_OPTIONS[verb, old]
    ((words, command),) = ((words, each) for words, each in VERBS.items() if words[-1] == verb)
    options = {name for parameter in command.params for name in parameter.opts}
    assert new in options
    assert old not in options
    done = run(*words, old, "1")
    assert done.exit_code == 2
    assert f"No such option '{old}'. It is called `{new}` now." in done.output


def test_misspelled_names_are_answered_with_similar_ones():
    assert "Did you mean 'plan'?" in run("pland").output
    assert "Did you mean '--watch'?" in run("status", "--wach").output


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom hrtem_ood.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    heavy = ("torch", "abtem", "xarray", "zarr", "numpy", "pandas", "pydantic", "rich", "submitit")
    assert [name for name in heavy if f"'{name}'" in done.stdout] == []
    assert "'click'" in done.stdout
