"""Networks with `repair: true` are trained and tested on images that are repaired as micrographs are."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.learning.training.test_training_recipe import bare_loop

from hrtem_ood.artifacts import store
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.learning.batches import Batches, Images, standardise
from hrtem_ood.learning.checkpoint import read_network, sees_repaired, weights_sha256
from hrtem_ood.learning.repair import repair_image
from hrtem_ood.learning.torch_device import reproducible
from hrtem_ood.learning.training.augmentations import EpochAugmentations

CPU = torch.device("cpu")


def damage(lab: Any) -> None:
    """Put a spike into every image, and a dead row into every other one."""
    for path in lab.datasets:
        dataset = store.read_zarr(path)
        counts = dataset.counts.values.astype(np.uint16)
        counts[:, 3, 5] = 2000
        counts[::2, 9] = 0
        changed = dataset.assign(counts=(dataset.counts.dims, counts)).drop_encoding()
        path.unlink()
        store.write_zarr(path, changed, dataset.attrs)


def repaired(images: Images) -> Images:
    """Repair images one by one."""
    counts = [repair_image(image.numpy().astype(np.float32)).image for image in images.counts]
    return Images(torch.from_numpy(np.stack(counts)), images.label)


def digest_of(lab: Any, spec: Any) -> str:
    content = read_network(lab.network(spec))
    assert sees_repaired(content) == spec.hyperparameters.repair
    return str(content["sha256_of_weights"])


def test_a_network_learns_from_repaired_images(lab: Any) -> None:
    damage(lab)
    plain, mended = lab.pack(0).networks[0], lab.pack(0, repair=True).networks[0]
    pack = lab.pack(0).model_copy(update={"networks": (plain, mended)})
    lab.run(pack)
    training, validation = lab.images()
    assert not torch.equal(repaired(training).counts, training.counts.float())
    with reproducible():
        expected = weights_sha256(bare_loop(mended, repaired(training), repaired(validation))[0])
        assert digest_of(lab, mended) == expected
        assert digest_of(lab, plain) == weights_sha256(bare_loop(plain, training, validation)[0])
        assert weights_sha256(bare_loop(mended, training, validation)[0]) != expected


def test_batches_that_epochs_change_are_repaired_after_that(lab: Any) -> None:
    chosen = {"dead_lines": {"share": 1.0}, "spikes": {"share": 1.0, "height": 100}}
    spec = lab.spec(augmentations=chosen, augmentation="none", repair=True)
    assert spec.hyperparameters.repairs_batches
    training, validation = lab.images()
    order = np.arange(len(training.counts))
    augment = EpochAugmentations(spec.hyperparameters.augmentations, spec.id, 0, order, len(order))
    (found,) = Batches(training, len(order), CPU, augment=augment, repair=True)
    changed, label = augment(training.counts, training.label, slice(0, len(order)))
    expected = standardise(repaired(Images(changed, label)).counts).unsqueeze(1)
    assert torch.equal(found[0], expected)
    assert not torch.equal(found[0], standardise(changed).unsqueeze(1))
    assert torch.equal(found[1], label.long())
    # the stage reads them as they are, and validates on repaired ones
    lab.run(lab.pack(0, augmentations=chosen, augmentation="none", repair=True))
    with reproducible():
        assert digest_of(lab, spec) == weights_sha256(bare_loop(spec, training, repaired(validation))[0])


@pytest.mark.parametrize("changes", [{}, {"resample_noise": True}, {"augmentations": {"gain": {}}}])
def test_images_are_repaired_once_where_no_epoch_changes_them(changes: dict[str, Any]) -> None:
    assert Hyperparameters(epochs=1, repair=True, **changes).repairs_batches == bool(changes)
    assert not Hyperparameters(epochs=1, **changes).repairs_batches


def test_repair_is_part_of_the_identity(lab: Any) -> None:
    assert lab.spec(repair=True).id != lab.spec().id == lab.spec(repair=False).id
