"""Features of networks: what enters the last convolution, whatever the architecture, or none at all."""

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from hrtem_ood.artifacts import store
from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.evaluation.score_table import NetworkScores, ScoreTable

IMAGES = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


class OutOfOrder(nn.Module):
    """Defines its last convolution first; another one of two channels runs before."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(5, 2, 1)
        self.body = nn.Conv2d(1, 5, 3, padding=1)
        self.aside = nn.Conv2d(5, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.body(image).relu()
        logits: Tensor = self.head(x + self.aside(x).mean())
        return logits


class Upsampled(OutOfOrder):
    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.interpolate(super().forward(image)[..., ::2, ::2], scale_factor=2.0)


@pytest.mark.parametrize(
    ("name", "depth", "channels"), [("unet", 1, 2), ("unet", 3, 8), ("resnet_unet", 2, 8)], ids=lambda value: str(value)
)
def test_the_last_convolution_of_the_features_gives_the_mean_logits(name: str, depth: int, channels: int) -> None:
    network = build(Architecture(name=name, depth=depth, base_channels=channels)).eval()
    with torch.inference_mode():
        logits, feature = FeatureHook(network)(IMAGES)
        assert torch.equal(logits, network(IMAGES))
        entering: list[Tensor] = []
        network.head.register_forward_pre_hook(lambda _, given: entering.append(given[0]))
        network(IMAGES)
    expected = entering[0].double().numpy().mean(axis=(2, 3))
    assert feature.shape == (3, network.head.in_channels)
    np.testing.assert_allclose(feature, expected, rtol=1e-5, atol=1e-6)
    if network.head.kernel_size == (1, 1):  # linear: its mean output follows from the mean input
        weight = network.head.weight.detach()[:, :, 0, 0]
        torch.testing.assert_close(
            feature @ weight.T + network.head.bias, logits.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5
        )


def test_the_order_in_which_layers_are_defined_does_not_matter() -> None:
    network = OutOfOrder().eval()
    with torch.inference_mode():
        logits, feature = FeatureHook(network)(IMAGES)
        x = network.body(IMAGES).relu()
        expected = (x + network.aside(x).mean()).mean(dim=(2, 3))
    torch.testing.assert_close(feature, expected)
    assert torch.equal(logits, network(IMAGES))


def test_a_network_that_ends_with_something_else_has_no_features() -> None:
    for network in (Upsampled(), nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())):
        with torch.inference_mode():
            logits, feature = FeatureHook(network.eval())(IMAGES)
        assert logits.shape == (3, 2, 32, 32)
        assert feature.shape == (3, 0)


def test_features_of_an_image_are_the_same_alone_and_among_others() -> None:
    network = FeatureHook(nn.Sequential(nn.Identity(), nn.Conv2d(8, 2, 1)).eval())
    images = torch.randn(7, 8, 32, 32).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        together = network(images)[1]
        for index, image in enumerate(images):
            alone = network(image[None].contiguous(memory_format=torch.channels_last))[1]
            assert torch.equal(alone[0], together[index])


def test_networks_of_different_width_are_padded_and_copied_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    networks: dict[str, str | None] = {"narrow": "1", "none": "2", "wide": "3", "diverged": None}
    cells, widths = ScoreTable(networks, {"d": "4", "e": "5"}, 3), {"narrow": 2, "none": 0, "wide": 5}
    given = {}
    for row, (name, width) in enumerate(widths.items()):
        for column in range(2):
            found = NetworkScores(
                rng.random((len(METRICS), 3), np.float32), rng.standard_normal((3, width)).astype(np.float16)
            )
            cells.fill(row, column, found)
            given[name, "de"[column]] = found
    path = tmp_path / "evaluations/a.zarr.zip"
    store.write_zarr(path, cells.to_dataset(), {"id": "a", "stage_version": 3})
    stored = store.read_zarr(path)
    assert stored.feature.shape == (4, 2, 3, 5)
    assert list(stored.features.values) == [2, 0, 5, 0]
    for (name, dataset), found in given.items():
        row = stored.feature.sel(network=name, condition=dataset).values
        np.testing.assert_array_equal(row[:, : widths[name]], found.feature)
        assert np.isnan(row[:, widths[name] :]).all()
    again = ScoreTable({"none": "2", "narrow": "1"}, {"e": "5"}, 3)
    again.copy_existing(path.parent, version=3, except_for=tmp_path / "b")
    assert again.filled.all()
    copied = again.to_dataset()
    assert list(copied.features.values) == [0, 2]
    np.testing.assert_array_equal(copied.feature.values[1, 0], given["narrow", "e"].feature)
    np.testing.assert_array_equal(copied[next(iter(METRICS))].values[1, 0], given["narrow", "e"].scores[0])
    assert isinstance(copied, xr.Dataset)
