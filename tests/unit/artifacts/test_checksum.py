"""The checksum of mapped arrays: that of Fletcher in lanes, of a copy as of the original, and of no damaged one."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtem_ood.artifacts.checksum import LANES, checksum, copy_with_checksum

sizes = st.integers(0, 6 * 8 * LANES + 9) | st.sampled_from([8 * LANES, 4 * 8 * LANES, 5 * 8 * LANES + 1])


def by_definition(content: bytes) -> str:
    """Sums in Python's integers, stripe by stripe."""
    whole = len(content) // (8 * LANES) * 8 * LANES
    a, b = [0] * LANES, [0] * LANES
    for place, word in enumerate(np.frombuffer(content[:whole], "<u8").tolist()):
        lane = place % LANES
        a[lane] = (a[lane] + word) % 2**64
        b[lane] = (b[lane] + a[lane]) % 2**64
    sums = np.array([a, b], np.uint64).tobytes()
    return hashlib.sha256(sums + content[whole:] + b"%d" % len(content)).hexdigest()[:16]


@settings(deadline=None, max_examples=30)
@given(sizes, st.integers(0, 2**32))
def test_copies_and_originals_have_the_checksum_of_its_definition(size, seed):
    source = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    target = np.zeros_like(source)
    assert copy_with_checksum(source, target) == checksum(source) == by_definition(source.tobytes())
    np.testing.assert_array_equal(target, source)


@settings(deadline=None, max_examples=30)
@given(sizes.filter(bool), st.integers(0, 2**32), st.data())
def test_a_bit_that_changes_changes_it(size, seed, data):
    source = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    damaged = source.copy()
    damaged[data.draw(st.integers(0, size - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert copy_with_checksum(damaged, np.zeros_like(damaged)) != checksum(source)


def test_planes_of_complex_numbers_are_copied():
    source = np.random.default_rng(0).normal(size=(840, 837, 2)).astype(np.float32).view(np.complex64)[..., 0]
    target = np.empty_like(source)
    assert copy_with_checksum(source, target) == checksum(source)
    np.testing.assert_array_equal(target, source)
