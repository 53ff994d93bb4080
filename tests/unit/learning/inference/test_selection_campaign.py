"""A calibration from a campaign's own networks and test datasets."""

import numpy as np
import pytest
import xarray as xr
from tests.unit.learning.inference.conftest import random_network

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.selection.calibration import COLUMNS, checked
from hrtem_ood.learning.inference.selection.campaign_cells import IMAGES_PER_CELL, calibrate


@pytest.fixture
def campaign(raw):
    raw["networks"]["unet"]["architecture"] = {"name": "unet", "base_channels": 2, "depth": 1}
    return load_campaign(raw)


def write_dataset(folder, id_, *, images=IMAGES_PER_CELL + 1):
    """Write a test dataset of bright squares."""
    labels = np.zeros((images, 32, 32), np.uint8)
    labels[:, 8:20, 8:24] = 1
    counts = np.random.default_rng(0).poisson(20 + 20 * labels).astype(np.uint16)
    axes = ("image", "y", "x")
    dataset = xr.Dataset({"counts": (axes, counts), "label": (axes, labels)}, attrs={"pixel_size_A": 0.4})
    store.write_zarr(Results(folder).path("datasets", id_), dataset, {"id": id_})


def test_every_network_is_scored_on_every_test_dataset(campaign, tmp_path):
    networks = list(campaign.networks)[:4]
    for id_ in networks:
        random_network(tmp_path, spec=campaign.networks[id_])
    tested = {id_ for suite in campaign.suites.values() for id_ in suite.datasets}
    for id_ in tested:
        write_dataset(tmp_path, id_)
    table = calibrate(campaign, tmp_path, device="cpu")
    assert list(table.columns) == list(COLUMNS)
    assert set(table.dataset) == tested
    assert table.condition.nunique() == len(tested)
    assert set(table.network) == set(networks)
    assert (table.groupby(["network", "dataset"]).size() == IMAGES_PER_CELL).all()
    assert table.f1.between(0, 1).all()
    assert table.f1.max() > 0
    if len(tested) * len(networks) < 40:
        with pytest.raises(ArtifactError, match="a calibration needs 40 pairs"):
            checked(table, "campaign small")


def test_a_campaign_without_networks_is_named(campaign, tmp_path):
    with pytest.raises(ArtifactError, match="campaign small has 0 trained network"):
        calibrate(campaign, tmp_path)
