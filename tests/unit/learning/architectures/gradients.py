"""Prints how far gradients are from those in float64, for the test beside it: a faulty library may end the process.

One line of JSON before a network is tried, and one after it: [instruction set, threads, label(, largest error)].
"""

import json
import os
import sys
from collections.abc import Iterator

import torch
from torch import nn

from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.registry import build

WIDTHS = (3, 4, 8, 12, 20)
BATCH = 32
Gradients = list[torch.Tensor]


def architectures(dilated: str) -> Iterator[tuple[Architecture, int]]:
    """Yield what is shipped, and the side of images [px] on which all its kinds of layers see more than a pixel."""
    for width in WIDTHS:
        yield Architecture(name="unet", base_channels=width, depth=2), 8
        yield Architecture(name="resnet_unet", base_channels=width, depth=3), 32
        yield Architecture(name="Dilated", file=dilated, parameters={"channels": width, "blocks": 1}), 8


def gradients(network: nn.Module, image: torch.Tensor, label: torch.Tensor) -> Gradients:
    loss = nn.functional.cross_entropy(network(image.contiguous(memory_format=torch.channels_last)), label)
    return list(torch.autograd.grad(loss, list(network.parameters())))


def error(found: Gradients, expected: Gradients) -> float:
    """Return the largest error of a layer's gradient, relative to that gradient, or to the largest where it is small."""
    least = max(b.norm() for b in expected) / 1000
    return max(float((a - b).norm() / max(b.norm(), least)) for a, b in zip(found, expected, strict=True))


def tell(*what: str | float) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(dilated: str, instruction_sets: list[str]) -> None:
    torch.set_num_threads(1)  # before forking: no threads, which a fork would lose
    cases = []
    for architecture, side in architectures(dilated):
        torch.manual_seed(0)
        network = build(architecture)
        image, label = torch.randn(BATCH, 1, side, side), torch.randint(2, (BATCH, side, side))
        # float64 is not computed by oneDNN
        exact = gradients(network.double(), image.double(), label)
        cases.append((architecture.label, network.float(), image, label, exact))
    for instructions in instruction_sets:
        for threads in (1, 2):
            process = os.fork()  # oneDNN looks at the variable once; importing torch anew would take seconds
            if process:
                os.waitpid(process, 0)
                continue
            os.environ["ONEDNN_MAX_CPU_ISA"] = instructions
            torch.set_num_threads(threads)
            for label, network, image, classes, exact in cases:
                tell(instructions, threads, label)
                found = error(gradients(network, image, classes), exact)
                tell(instructions, threads, label, found)
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
