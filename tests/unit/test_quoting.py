"""Values in messages are short and on one line."""

import pytest

from hrtem_ood.quoting import quoted, shortened


@pytest.mark.parametrize(
    "value",
    [
        "a" * 405_000,
        10**10_000,
        -(10**400),
        list(range(100_000)),
        {f"key {i}": ["x" * 100] * 100 for i in range(1000)},
        [[[[[[[[1]]]]]]]],
        b"\0" * 1000,
        "\n\x1b[31m\0" * 50,
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_is_short_and_printable(value):
    text = quoted(value)
    assert 0 < len(text) <= 80
    assert text.isprintable()


def test_small_values_are_quoted_in_full():
    assert quoted("many") == "'many'"
    assert quoted([1, 2.5, None]) == "[1, 2.5, None]"
    assert quoted({"b": 1, "a": 2}) == "{'b': 1, 'a': 2}"
    assert quoted(2**63) == str(2**63)


def test_the_middle_goes():
    short = shortened("begin" + "x" * 1000 + "end", limit=20)
    assert len(short) == 20
    assert short.startswith("begin")
    assert short.endswith("end")
