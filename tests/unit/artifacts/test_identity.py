"""Same id ⇔ same content."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrtem_ood.artifacts.identity import canonical_json, content_id, digest, seed_sequence

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_loses_nothing(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_key_order_means_nothing(value):
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)


@given(JSON, JSON)
def test_digests_agree_exactly_when_content_does(one, other):
    # True == 1 in Python, yet they are different JSON
    same = json.dumps(_plain(one), sort_keys=True) == json.dumps(_plain(other), sort_keys=True)
    assert (digest(one) == digest(other)) == same


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_whole_floats_and_tuples_are_written_alike():
    assert canonical_json({"a": (1.0, -0.0)}) == canonical_json({"a": [1, 0]}) == '{"a":[1,0]}'


def test_nan_has_no_identity():
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("nan"))


def test_content_id_is_a_file_name():
    identity = content_id("Δf +100/Å (x)", 1)
    assert identity == f"f-+100-x-{digest(1)[:10]}"


def test_streams_differ_by_name_and_key_and_repeat():
    draws = [
        np.random.default_rng(seed_sequence(name, *key)).integers(2**62)
        for name, key in [("a", (0,)), ("a", (1,)), ("a", (0, 0)), ("b", (0,)), ("a", (0,))]
    ]
    assert len(set(draws[:4])) == 4
    assert draws[4] == draws[0]
