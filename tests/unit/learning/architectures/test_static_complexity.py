"""Computed operations and weights of the built-in architectures, against the networks themselves."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures import static_complexity
from hrtem_ood.learning.architectures.complexity import flops_per_image, measured_flops
from hrtem_ood.learning.architectures.registry import build

CASES = [
    ("unet", 8, 3),
    ("unet", 5, 1),
    ("unet", 32, 4),
    ("resnet_unet", 64, 5),
    ("resnet_unet", 4, 3),
    ("resnet_unet", 3, 1),
]


@pytest.mark.parametrize(("name", "channels", "depth"), CASES)
def test_counts_are_those_of_the_network(name, channels, depth):
    architecture = Architecture(name=name, base_channels=channels, depth=depth)
    with torch.random.fork_rng(devices=[]):
        network = build(architecture)
    assert static_complexity.flops_per_image(architecture, 64) == measured_flops(network, 64)
    kernels = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d))
    assert static_complexity.feature_count(architecture) == network.head.in_channels
    assert static_complexity.weight_count(architecture) == sum(module.weight.numel() for module in kernels)


def test_architectures_of_a_users_file_are_measured():
    own = Architecture(name="Own", file="own.py")
    assert static_complexity.flops_per_image(own, 64) is None
    assert static_complexity.weight_count(own) is None
    assert static_complexity.feature_count(own) == 0
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1))
    assert flops_per_image(own, network, 64) == 2 * 2 * 9 * 64**2


def test_it_imports_no_torch():
    modules = "hrtem_ood.learning.architectures.static_complexity, hrtem_ood.execution.planning.plan"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
