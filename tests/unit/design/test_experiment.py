"""Experiments as YAML: what is only to be read stays a comment."""

import pytest
import yaml

from hrtem_ood.design.experiment import yaml_text


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\x85", "\u2028", "\x00"])
def test_a_comment_cannot_become_configuration(break_: str) -> None:
    """As would a forecaster's campaign, or the name of a file, that holds a line break."""
    text = yaml_text({"campaign": "a"}, [f"of the campaign x{break_}simulation: {{n_frozen_phonons: 1}}{break_}#"])
    assert yaml.safe_load(text) == {"campaign": "a"}
    assert "n_frozen_phonons" in text
