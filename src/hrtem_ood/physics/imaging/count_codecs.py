"""Compression of counts."""

import numpy as np
from zarr.codecs import BloscCodec


def codecs(itemsize: int) -> tuple[BloscCodec, ...]:
    """Codecs for counts: the entropy coder of zstd alone, and, for images with few electrons, bit planes."""
    return (
        BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=itemsize, blocksize=2**30),
        BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=itemsize),
    )


def best_codec(images: np.ndarray) -> BloscCodec:
    """Choose the codec with the smallest result for the first image."""
    choices = codecs(images.dtype.itemsize)
    sizes = [len(codec._blosc_codec.encode(np.ascontiguousarray(images[0]))) for codec in choices]
    return choices[int(np.argmin(sizes))]
