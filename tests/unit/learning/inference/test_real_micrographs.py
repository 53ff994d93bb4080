"""The network of the package on ten real micrographs with experts' labels, which lie beside the repository or nowhere."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.learning.inference.particle_labels import ParticleOptions
from hrtem_ood.learning.inference.score_micrographs import load_networks, score_micrographs
from hrtem_ood.learning.inference.shipped_network import shipped_network

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "real"
SPECK_A = 12.0
"""Diameter of the smallest particles that count, less than of any in training [Å]."""


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the real micrographs are not part of the repository")
def test_real_micrographs_are_segmented_as_well_as_by_networks_trained_on_real_ones():
    images = sorted((FOLDER / "images").glob("*.tif"))
    pairs = [LabelPair(path, FOLDER / "labels" / path.name) for path in images]
    networks, _ = load_networks([shipped_network()], None)
    scored = score_micrographs(networks, pairs, particles=ParticleOptions(min_diameter_A=SPECK_A), device="cpu")
    assert not scored.problems
    # on six of these, networks that were trained on real images of the same microscope have a median of 0.88
    assert scored.table.f1.median() >= 0.85
    particles = np.array([np.mean(tifffile.imread(pair.labels) > 0) > 0.01 for pair in pairs])
    assert particles.sum() == 9  # one label marks 19 pixels, which no network finds, published ones included
    assert scored.table.f1[particles].min() >= 0.6
