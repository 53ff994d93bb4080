"""Verb `export`: a trained network as ONNX, with its standardisation inside."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError, HrtemOodError
from hrtem_ood.learning.architectures.registry import stride_of
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, load

OPSET = 18
"""The oldest that PyTorch's exporter writes, so that the most programs can read it."""

INPUT = "electron counts, or what is linear in them; float32 (image, 1, y, x); y and x are multiples of the stride"
REPAIRED = "repaired before, as hrtem_ood.repair_image does: the network was trained on such images"
OUTPUT = "probability of particle; float32 (image, 1, y, x)"


class MissingPackageError(HrtemOodError):
    """A package is needed that is not installed."""


class StandardisingNetwork(nn.Module):
    """Counts to the probability of particle: standardisation, network and softmax.

    Parameters
    ----------
    network : torch.nn.Module
        Standardised images (image, 1, y, x) to logits (image, 2, y, x).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, counts: Tensor) -> Tensor:
        """Return the probability, (image, 1, y, x), of counts of that shape, each image standardised on its own."""
        # Runtimes add up in any order: in single precision, ONNX Runtime's mean of the squares of 128 × 128 pixels has an error
        # of 10⁻⁵, which trained networks amplify to 6·10⁻⁴ of probability. PyTorch sums in parts, which has no such error.
        image = standardise(counts, dtype=torch.float64)
        probability: Tensor = self.network(image).softmax(dim=1)[:, 1:2]
        return probability


def export(path: Path, output: Path, architecture_file: Path | None = None) -> None:
    """Write a trained network as ONNX.

    Parameters
    ----------
    path : Path
        ``networks/<id>.ckpt``.
    output : Path
        ONNX file.
    architecture_file : Path, optional
        Python file of an architecture that is not built in.

    Raises
    ------
    ArtifactError
        Where the network cannot be read, or PyTorch cannot translate it.
    """
    store.write_bytes(output, onnx_bytes(load(path, architecture_file)))


def onnx_bytes(network: TrainedNetwork) -> bytes:
    """Translate a network.

    Parameters
    ----------
    network : TrainedNetwork

    Returns
    -------
    bytes
        An ONNX model with one input, ``counts``, and one output, ``particle_probability``, both float32
        (image, 1, y, x); ``metadata_props`` tell the network's id, pixel, energy, stride and training conditions.
    """
    try:
        import onnx  # noqa: F401  # both are needed by the exporter
        import onnxscript  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise MissingPackageError(
            f"{error.name} is needed to write ONNX. Install it: pip install hrtem-ood[export]"
        ) from None
    stride = stride_of(network.network)
    # two images of unequal sides: what is given as 1, or twice, may be taken for a constant
    example = torch.arange(2 * 4 * 6 * stride**2, dtype=torch.float32).reshape(2, 1, 4 * stride, 6 * stride)
    try:
        with _quiet():
            program: Any = torch.onnx.export(
                StandardisingNetwork(network.network).eval(),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["counts"],
                output_names=["particle_probability"],
                dynamic_shapes={"counts": {0: "image", 2: "y", 3: "x"}},
                verbose=False,
            )
    except Exception as error:  # a user's architecture may hold whatever has no translation
        raise ArtifactError(
            f"network {network.id} cannot be written as ONNX ({type(error).__name__}: {str(error).strip().splitlines()[0]}). "
            "Its architecture does what PyTorch's exporter cannot translate."
        ) from error
    return _with_facts(program.model_proto, network)


def _with_facts(model: Any, network: TrainedNetwork) -> bytes:
    """Add what a user of the model needs to know, and leave out where in the source each node came from."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    domain = network.training_domain
    conditions = [{"condition": condition.model_dump(), "images": images} for condition, images in domain.conditions]
    facts = {
        "id": network.id,
        "pixel_size_A": repr(domain.pixel_size_A),
        "energy_eV": repr(domain.energy_eV),
        "stride": str(stride_of(network.network)),
        "training_side_px": str(domain.side_px),
        "training_conditions": json.dumps(conditions),
        "input": f"{INPUT}; {REPAIRED}" if network.repair else INPUT,
        "output": OUTPUT,
    }
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = model.SerializeToString(deterministic=True)
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress, warnings and log lines from the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
