"""Labelled micrographs as an artifact: what networks see, scores against those of the verb `score`, and what is refused."""

import hashlib

import numpy as np
import pytest
import torch
from tests.unit.learning.inference.test_score_micrographs import AboveMean, network
from torch import nn

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.campaign.specs import LabelledSetSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation import micrograph_scores as module
from hrtem_ood.learning.evaluation.feature_hook import FeatureHook, ScoredNetwork
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.learning.evaluation.micrograph_scores import micrograph_scores
from hrtem_ood.learning.inference.score_micrographs import score_micrographs
from hrtem_ood.stages.labelled_set import labelled_set, read_labelled_images

RNG = np.random.default_rng(0)
CPU = torch.device("cpu")


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    return ((y - height / 2) ** 2 + (x - width / 3) ** 2 < (min(height, width) / 4) ** 2).astype(np.uint8)


def micrograph(label):
    return RNG.poisson(40 + 30 * label).astype(np.uint16)


@pytest.fixture
def made(write):
    """Return a function that writes labelled micrographs, and the spec of their set."""

    def made(*images, repair=True, pixel_size_A=None, network_pixel_size_A=0.4):
        pairs = [
            LabelPair(write(f"m{n}.tif", image, own), write(f"l{n}.tif", label, None))
            for n, (image, label, own) in enumerate(images)
        ]
        return pairs, spec_of(pairs, repair, pixel_size_A, network_pixel_size_A)

    return made


def spec_of(pairs, repair=True, pixel_size_A=None, network_pixel_size_A=0.4):
    files = [
        {
            "micrographs": str(one),
            "labels": str(other),
            "micrographs_sha256": sha256(one),
            "labels_sha256": sha256(other),
        }
        for one, other in pairs
    ]
    return LabelledSetSpec(
        files=files, repair=repair, pixel_size_A=pixel_size_A, network_pixel_size_A=network_pixel_size_A
    )


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def written(spec, tmp_path):
    path = tmp_path / f"labelled_sets/{spec.id}.zarr.zip"
    labelled_set(spec, [], path)
    return path


def of_three():
    """Images of the networks' pixel, of a smaller one with a dead border, and without particles."""
    label = disc(60, 84)
    bordered = micrograph(label)
    bordered[:6] = 0
    return (
        (micrograph(disc(48, 64)), disc(48, 64), 0.4),
        (bordered, label, 0.3),
        (micrograph(0 * label), 0 * label, 0.5),
    )


@pytest.mark.parametrize(("precision", "tf32"), [("float32", False), ("tf32", True)])
def test_networks_see_labelled_micrographs_in_the_precision_that_scores_name(made, tmp_path, precision, tf32):
    _, spec = made(*of_three())
    seen, network = set(), AboveMean()
    network.register_forward_hook(lambda *_: seen.add(torch.backends.cudnn.allow_tf32))
    micrograph_scores(
        {"a": ScoredNetwork(FeatureHook(network), 64)}, read_labelled_images(written(spec, tmp_path)), CPU, precision
    )
    assert seen == {tf32}


@pytest.mark.parametrize("repair", [True, False])
def test_scores_are_those_of_the_verb_score(made, tmp_path, repair):
    pairs, spec = made(*of_three(), repair=repair)
    path = written(spec, tmp_path)
    tested = {"a": ScoredNetwork(FeatureHook(AboveMean()), 64), "b": ScoredNetwork(FeatureHook(AboveMean(-1.0)), 64)}
    found = micrograph_scores(tested, read_labelled_images(path), CPU)
    expected = score_micrographs([network("a"), network("b", sign=-1.0)], pairs, repair=repair, device="cpu")
    assert not expected.problems
    for id_, rows in expected.table.groupby("network"):
        for name in ("f1", "iou", "precision", "recall"):
            mine = found[id_].scores[list(METRICS).index(name)]
            np.testing.assert_allclose(mine, rows[name].to_numpy(float), atol=1e-6)
        assert np.isnan(mine[2])
        assert np.isfinite(mine[:2]).all()
        others = [index for index, name in enumerate(METRICS) if name not in module.RATIOS]
        assert np.isfinite(found[id_].scores[others]).all()


def test_what_is_dead_is_no_particle(made, tmp_path):
    (_, spec) = made(of_three()[1])
    (each,) = read_labelled_images(written(spec, tmp_path))
    assert each.dead[:6].all()
    assert not each.dead[8:].any()
    probability = each.on_own_pixels(np.ones(each.image.shape, np.float32))
    np.testing.assert_array_equal(probability, np.where(each.dead, 0, 1))


def test_features_of_tiles_are_a_mean_over_their_pixels(made, tmp_path, monkeypatch):
    class Last(nn.Module):
        stride = 1

        def __init__(self):
            super().__init__()
            self.last = nn.Conv2d(1, 2, 1)

        def forward(self, image):
            return self.last(image)

    torch.manual_seed(0)
    _, spec = made((micrograph(disc(80, 96)), disc(80, 96), 0.4))
    path = written(spec, tmp_path)
    tested = {"a": ScoredNetwork(FeatureHook(Last()), 64)}
    whole = micrograph_scores(tested, read_labelled_images(path), CPU)["a"]
    monkeypatch.setattr(module, "TILE_PX", 64)
    monkeypatch.setattr(module, "tiling", lambda *_: module.Tiling(48, 8, exact=True))
    cut = micrograph_scores(tested, read_labelled_images(path), CPU)["a"]
    np.testing.assert_allclose(cut.scores, whole.scores, atol=1e-6)
    assert cut.feature.shape == whole.feature.shape == (1, 1)
    assert abs(float(whole.feature[0, 0])) < 1e-3  # the mean of a standardised image
    assert abs(float(cut.feature[0, 0])) < 0.1  # margins count twice


def test_a_store_is_checked_and_described(made, tmp_path):
    _, spec = made(*of_three())
    path = written(spec, tmp_path)
    with store.open_zarr(path) as dataset:
        assert dataset.sizes["image"] == 3
        assert list(dataset["name"].values) == ["m0", "m1", "m2"]
        assert dataset.micrograph_1.dims == ("y_1", "x_1")
        assert dataset.label_1.shape == (60, 84)
        assert dataset.micrograph_1.shape == (45, 63)
        np.testing.assert_allclose(dataset.network_pixel_size_A.values, 0.4)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=path.name):
        list(read_labelled_images(path))


def test_a_file_that_changed_is_not_read(made, tmp_path):
    pairs, spec = made(of_three()[0])
    pairs[0].labels.write_bytes(pairs[0].labels.read_bytes() + b"0")
    with pytest.raises(ArtifactError, match=r"l0\.tif has changed since the campaign was started"):
        written(spec, tmp_path)
    pairs[0].labels.unlink()
    with pytest.raises(ArtifactError, match=r"l0\.tif cannot be read"):
        written(spec, tmp_path)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ((micrograph(disc(48, 64)), disc(48, 60), 0.4), "l0.tif has 48 × 60 px"),
        ((micrograph(disc(48, 64)), RNG.integers(0, 256, (48, 64)).astype(np.uint8), 0.4), "grey levels"),
        ((micrograph(disc(48, 64)), disc(48, 64), None), "tells no pixel size"),
        ((micrograph(disc(48, 64)), disc(48, 64), 8.0), "times as many"),
        ((np.ones((48, 64), np.uint16), disc(48, 64), 0.4), "one value"),
    ],
)
def test_what_does_not_fit_is_named(made, tmp_path, image, words):
    _, spec = made(image)
    with pytest.raises(ArtifactError, match=words):
        written(spec, tmp_path)


def test_images_too_small_for_a_network_are_named(made, tmp_path):
    class Deep(AboveMean):
        stride = 32

    _, spec = made(of_three()[0])
    tested = {"deep": ScoredNetwork(FeatureHook(Deep()), 64)}
    with pytest.raises(ArtifactError, match="m0 is too small for network deep, which needs 64 px"):
        micrograph_scores(tested, read_labelled_images(written(spec, tmp_path)), CPU)
