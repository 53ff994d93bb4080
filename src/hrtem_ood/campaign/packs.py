"""Grouping networks into packs such that one more network changes one pack, not all."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hrtem_ood.campaign.specs import NetworkSpec


def split_into_packs(networks: Sequence[NetworkSpec], largest: int, bit: int = 0) -> Iterator[tuple[NetworkSpec, ...]]:
    """Yield packs of at most ``largest`` networks, split by the bits of the networks' digests.

    A group that is too large is halved by the next bit of the hash, like a trie: adding a network changes the pack
    where it falls (or splits it), and leaves every other pack, hence every other job, as it was.

    Parameters
    ----------
    networks : sequence of NetworkSpec
    largest : int
    bit : int
        The first bit not yet used, counted from the least significant one.

    Yields
    ------
    tuple of NetworkSpec, in order of id
    """
    if len(networks) <= largest:
        if networks:
            yield tuple(sorted(networks, key=lambda network: network.id))
        return
    # neighbours here are neighbours in the order of `trie_key`
    halves: tuple[list[NetworkSpec], list[NetworkSpec]] = ([], [])
    for network in networks:
        halves[int(network.id[-10:], 16) >> bit & 1].append(network)
    for half in halves:
        yield from split_into_packs(half, largest, bit + 1)


def trie_key(network: NetworkSpec) -> str:
    """Sort key by which every group of :func:`split_into_packs` is a run of neighbours, for any size of groups."""
    return f"{int(network.id[-10:], 16):040b}"[::-1]


def split_evenly(ids: Sequence[str], largest: int) -> list[list[str]]:
    """Split a list into as few parts of about equal size as possible, none larger than ``largest``."""
    parts = -(-len(ids) // largest)
    ends = [len(ids) * number // parts for number in range(parts + 1)] if parts else []
    return [list(ids[start:stop]) for start, stop in pairwise(ends)]
