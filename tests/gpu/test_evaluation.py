"""Scores on a GPU are those of the CPU, within rounding; predict says of an image what evaluation says."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import xarray as xr
from tests.gpu.discs import GPU, PIXEL_A, TEST, Discs

from hrtem_ood.campaign.specs import PackSpec
from hrtem_ood.errors import DeviceError
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import Images, read_images
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.segment_micrographs import load, segment
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.stages.evaluate import group_scores, network_scores

pytestmark = pytest.mark.gpu


class Scored(NamedTuple):
    discs: Discs
    packs: list[PackSpec]
    cpu: xr.Dataset
    gpu: xr.Dataset


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Networks of both architectures, trained on the GPU and scored on both devices."""
    discs = Discs(tmp_path_factory.mktemp("scored"))
    packs = [
        discs.pack(0, 1, 2),
        discs.pack(0, architecture={"name": "resnet_unet", "base_channels": 8, "depth": 3}),
    ]
    for pack in packs:
        discs.train(pack)
    return Scored(discs, packs, discs.scores(packs, "cpu"), discs.scores(packs, "gpu"))


@pytest.mark.parametrize("score", ["cross_entropy", "entropy", "confidence", "calibration_error"])
def test_probabilities_are_those_of_the_cpu(scored: Scored, score: str) -> None:
    np.testing.assert_allclose(scored.gpu[score], scored.cpu[score], atol=1e-4)


@pytest.mark.parametrize("score", ["f1", "iou", "precision", "recall"])
def test_masks_are_those_of_the_cpu(scored: Scored, score: str) -> None:
    difference = abs(scored.gpu[score] - scored.cpu[score]).values
    assert difference.size == 4 * 4 * 64
    assert scored.cpu.f1.mean() > 0.8, "networks that find nothing would prove nothing"
    assert (difference <= 1e-3).mean() >= 0.999


def test_features_are_those_of_the_cpu(scored: Scored) -> None:
    # stored in half precision: the last of 11 bits may differ
    np.testing.assert_allclose(scored.gpu.feature, scored.cpu.feature, atol=2e-3, rtol=2e-3)


def test_scores_repeat(scored: Scored) -> None:
    again = scored.discs.scores(scored.packs, "gpu")
    xr.testing.assert_equal(again.drop_attrs(), scored.gpu.drop_attrs())


def test_scores_do_not_depend_on_the_datasets_beside(scored: Scored) -> None:
    """Small ones, which a CPU scores together; as where some scores are copied and the others computed."""
    spec = scored.packs[0].networks[0]
    network = {"n": FeatureHook(load(scored.discs.network(spec)).network.to(GPU))}
    group = [Images(*(part[:number] for part in read_images(scored.discs.dataset(TEST[0])))) for number in (5, 9, 30)]
    with reproducible():
        together = group_scores(network, group, GPU)
        alone = [group_scores(network, [images], GPU)[0] for images in group]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one["n"].scores, other["n"].scores)
        np.testing.assert_array_equal(one["n"].feature, other["n"].feature)


@pytest.mark.parametrize("number", [0, 3])
def test_predict_says_what_evaluation_says(scored: Scored, number: int) -> None:
    spec = [network for pack in scored.packs for network in pack.networks][number]
    network, name = load(scored.discs.network(spec)), TEST[1]
    images = read_images(scored.discs.dataset(name))
    expected = scored.gpu.f1.sel(network=spec.id, condition=name).values
    for index in range(16):
        micrograph = Micrograph.from_array(images.counts[index].numpy(), pixel_size_A=PIXEL_A)
        mask, label = segment(network, micrograph, repair=False, device="gpu").mask, images.label[index].numpy()
        f1 = 2 * (mask & label).sum() / (mask.sum() + label.sum())
        assert f1 == pytest.approx(expected[index], abs=1e-3), index


def test_a_lack_of_memory_is_told_in_words(scored: Scored) -> None:
    images = read_images(scored.discs.dataset(TEST[0]))
    spec = scored.discs.spec(architecture={"base_channels": 64, "depth": 3})
    network = build(spec.hyperparameters.architecture).eval().to(GPU)
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info(GPU)
    torch.cuda.set_per_process_memory_fraction(128 * 2**20 / total, GPU)
    try:
        with pytest.raises(DeviceError, match=r"^evaluating network n: out of memory on the GPU: .*128 px wide"):
            network_scores({"n": FeatureHook(network)}, images, GPU)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, GPU)
        torch.cuda.empty_cache()
