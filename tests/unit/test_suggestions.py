"""Messages about unknown names say the most similar one, and list the valid ones if they are few."""

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.suggestions import LONGEST_LIST, listed, valid_names

FEW, MANY = ["epsilon", "sigma"], [f"name{number}" for number in range(LONGEST_LIST + 1)]


def test_few_names_are_listed() -> None:
    assert valid_names("sigmo", FEW) == "did you mean `sigma`? Valid: epsilon, sigma."
    assert valid_names("dose", FEW, title="Defined") == "Defined: epsilon, sigma."
    assert valid_names("dose", []) == "Valid: none."


def test_many_names_are_listed_only_where_none_is_similar() -> None:
    assert valid_names("nam7", MANY) == "did you mean `name7`?"
    assert valid_names("dose", MANY) == f"Valid: {', '.join(MANY[:LONGEST_LIST])} and 1 more."


def test_a_condition_has_many() -> None:
    assert valid_names("defokus_A", Condition.model_fields) == "did you mean `defocus_A`?"


def test_lists_are_short() -> None:
    assert listed(FEW) == "epsilon, sigma"
    assert listed(["a"] * 2000).endswith(", a and 1,990 more")
