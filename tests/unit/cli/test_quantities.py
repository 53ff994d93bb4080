"""Numbers as text."""

import pytest

from hrtem_ood.cli.render import quantities


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (85_000, "85 kB"), (3.4e9, "3.4 GB"), (2e15, "2,000.0 TB")],
)
def test_bytes(size, text):
    assert quantities.format_bytes(size) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(None, ""), (0, "0.00"), (0.00018, "< 0.01"), (0.0712, "0.07"), (0.24, "0.2"), (23.4, "23"), (2e5, "200,000")],
)
def test_hours(hours, text):
    assert quantities.format_hours(hours) == text


@pytest.mark.parametrize(("hours", "text"), [(0.001, "4 s"), (0.5, "30 min"), (1.25, "1.2 h")])
def test_durations(hours, text):
    assert quantities.format_duration(hours) == text


@pytest.mark.parametrize(("number", "text"), [(None, "unknown"), (1081, "1.08 k"), (289e6, "289 M"), (1.5e12, "1.5 T")])
def test_prefixes(number, text):
    assert quantities.format_prefixed(number) == text


def test_counts():
    assert [quantities.format_count(number, "job") for number in (1, 2, 1000)] == ["1 job", "2 jobs", "1,000 jobs"]
