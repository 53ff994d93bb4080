"""Tiles change nothing but memory, and small images go through as the network's scores were made."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from hrtem_ood.errors import DeviceError
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.inference.segment_micrographs import load
from hrtem_ood.learning.inference.tiling import Tiling, particle_probability, spans, tiling

CPU = torch.device("cpu")
ARCHITECTURES = [
    {"name": "unet", "base_channels": 3, "depth": 2},
    {"name": "unet", "base_channels": 4, "depth": 3},
    {"name": "resnet_unet", "base_channels": 8, "depth": 3},
]


@pytest.fixture(params=ARCHITECTURES, ids=["unet2", "unet3", "resnet"])
def network(request, make_network):
    return load(make_network(**request.param)).network


@pytest.mark.parametrize(
    ("precision", "tf32", "dtype"),
    [
        ((), False, torch.float32),
        (("float32",), False, torch.float32),
        (("tf32",), True, torch.float32),
        (("bfloat16",), False, torch.bfloat16),
    ],
    ids=str,
)
def test_precision_is_as_asked_for_and_full_by_default(network, counts, monkeypatch, precision, tf32, dtype):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)  # PyTorch's default
    seen = []

    def watch(_network, _inputs, output):
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, output.dtype))

    network.register_forward_hook(watch)
    found = particle_probability(network, counts(32, 32).astype(np.float32), CPU, None, *precision)
    assert seen == [(tf32, tf32, dtype)]
    assert found.dtype == np.float32
    assert torch.backends.cudnn.allow_tf32, "as it was"


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(496, 328), (261, 500)])
def test_tiles_give_what_one_piece_gives(network, counts, shape):
    image = counts(*shape).astype(np.float32)
    tiles = tiling(network, 64, tile_px=8)  # as small as the margin allows
    assert tiles.exact
    assert tiles.side < max(shape)
    whole = particle_probability(network, image, CPU)
    assert whole.shape == shape
    assert whole.std() > 0.02, "or this test would show nothing"
    np.testing.assert_allclose(particle_probability(network, image, CPU, tiles), whole, atol=2e-6)
    # too small a margin is seen
    bare = particle_probability(network, image, CPU, Tiling(tiles.side, 0, exact=False))
    assert np.abs(bare - whole).max() > 1e-3


def test_no_piece_is_larger_than_a_tile(network, counts):
    tiles = tiling(network, 64, tile_px=200)
    seen = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    particle_probability(network, counts(700, 410).astype(np.float32), CPU, tiles)
    assert max(max(shape) for shape in seen) == tiles.side
    assert all(shape[:2] == (1, 1) for shape in seen)
    assert len(seen) > 5


@pytest.mark.parametrize(("side", "margin", "stride"), [(64, 16, 8), (96, 0, 32), (40, 8, 4)])
def test_spans_keep_every_pixel_once(side, margin, stride):
    for size in range(stride, 400, stride):
        found = list(spans(size, Tiling(side, margin, exact=True), stride))
        assert [span.keep_from for span in found] == [0, *(span.keep_to for span in found[:-1])]
        assert found[-1].keep_to == size
        for span in found:
            assert 0 <= span.start <= span.keep_from < span.keep_to <= span.stop <= size
            assert span.stop - span.start == min(size, side)
            assert span.start in (0, span.keep_from - margin) or span.stop == size
            assert span.stop in (size, span.keep_to + margin)


def test_an_image_of_fitting_sides_goes_through_as_it_is(network, counts):
    image = counts(64, 96).astype(np.float32)
    with torch.no_grad():
        logits = network(standardise(torch.from_numpy(image))[None, None])[0]
    found = particle_probability(network, image, CPU)
    np.testing.assert_allclose(found, torch.softmax(logits, 0)[1].numpy(), atol=1e-6)


def test_other_sides_are_continued_by_reflection_after_standardising(network, counts):
    image = counts(61, 90).astype(np.float64)
    stride = network.stride
    z = np.pad((image - image.mean()) / image.std(), [(0, -61 % stride), (0, -90 % stride)], mode="reflect")
    with torch.no_grad():
        expected = network(torch.tensor(z, dtype=torch.float32)[None, None]).softmax(1)[0, 1].numpy()
    np.testing.assert_allclose(
        particle_probability(network, image.astype(np.float32), CPU), expected[:61, :90], atol=1e-5
    )


class Global(nn.Module):
    """Every pixel depends on the whole image."""

    stride = 4

    def forward(self, image):
        x = image - image.amax(dim=(-2, -1), keepdim=True)
        return torch.cat([-x, x], dim=1)


def test_a_network_that_sees_the_whole_image_gets_pieces_of_the_training_size(counts):
    tiles = tiling(Global(), 50)
    assert tiles == Tiling(52, 12, exact=False)
    found = particle_probability(Global(), counts(140, 200).astype(np.float32), CPU, tiles)
    assert np.isfinite(found).all()


def test_a_pixel_sees_no_more_than_half_the_field_and_a_period(network):
    """The margin's assumption, for one pixel of each phase of the stride."""
    stride, tiles = network.stride, tiling(network, 64, tile_px=8)
    side = 4 * tiles.margin
    for dy, dx in itertools.product(range(0, stride, 3), repeat=2):
        image = torch.zeros(1, 1, side, side)
        y, x = side // 2 + dy, side // 2 + dx
        image[:, :, y, x] = torch.nan
        with torch.no_grad():
            rows, columns = network(image)[0].isnan().any(dim=0).nonzero().T
        assert max((rows - y).abs().max(), (columns - x).abs().max()) <= tiles.margin


def test_a_lack_of_memory_is_told(network, counts, monkeypatch):
    def fail(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(network, "forward", fail)
    with pytest.raises(DeviceError, match=r"segmentation: out of memory on the CPU.*Crop the image"):
        particle_probability(network, counts(64, 64).astype(np.float32), CPU)
