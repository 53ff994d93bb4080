"""Trained networks and micrograph files, written from scratch."""

import functools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hrtem_ood.campaign.specs import NetworkSpec
from hrtem_ood.learning.architectures.registry import build
from hrtem_ood.learning.batches import standardise
from hrtem_ood.learning.checkpoint import TrainingDomain, TrainingOutcome, write_network
from hrtem_ood.learning.inference import figures
from hrtem_ood.physics.optics.condition import Condition

PIXEL_A = 0.4
CONDITIONS = (
    (Condition(defocus_A=-100, dose_e_per_A2=400, focal_spread_A=20), 12),
    (Condition(defocus_A=100, dose_e_per_A2=400, focal_spread_A=20), 8),
)
TRAINED_ON = TrainingDomain(CONDITIONS, energy_eV=300e3, pixel_size_A=PIXEL_A, side_px=64)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: faster for small images, and all the more beside other jobs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Number particles in figures only where there are few: drawing the text takes as long as all the rest of a run."""
    monkeypatch.setattr(figures, "MOST_NUMBERS", 3)


_MADE: dict[tuple[str, bool, str], bytes] = {}
"""Files of :func:`random_network`, by id, ``diverged`` and domain: dozens of tests take the same."""


def random_network(
    folder: Path,
    *,
    diverged: bool = False,
    spec: NetworkSpec | None = None,
    trained_on: TrainingDomain = TRAINED_ON,
    **architecture: Any,
) -> Path:
    """Write a network of random weights, which sees particles in half of an image."""
    if spec is None:
        chosen = {"name": "unet", "base_channels": 3, "depth": 2} | architecture
        spec = NetworkSpec(training_set="t", hyperparameters={"epochs": 1, "architecture": chosen})
    path, key = folder / "networks" / f"{spec.id}.ckpt", (spec.id, diverged, repr(trained_on))
    if key in _MADE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_MADE[key])
        return path
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = build(spec.hyperparameters.architecture)
        for _ in range(20):  # in training mode
            network(standardise(torch.rand(4, 1, 64, 64)))
    _spread(network)
    trained = TrainingOutcome(network.state_dict(), 0, 0.25, diverged=diverged)
    write_network(path, spec, trained, trained_on, seconds=0, device="cpu")
    _MADE[key] = path.read_bytes()
    return path


@pytest.fixture
def make_network(tmp_path: Path) -> Callable[..., Path]:
    """Return the function :func:`random_network`, writing below the test's folder."""
    return functools.partial(random_network, tmp_path)


@torch.no_grad()
def _spread(network: Any) -> None:
    """Scale and shift the logits so that probabilities of noise spread about one half."""
    logits = network.eval()(standardise(torch.from_numpy(noise(1, 64, 64)))[None])
    difference = (logits[:, 1] - logits[:, 0]).flatten()
    factor = 2 / difference.std()
    network.head.weight *= factor
    network.head.bias *= factor
    network.head.bias[1] -= factor * difference.median()


def noise(*shape: int) -> np.ndarray:
    """Poisson counts with a bright disc, as 16-bit integers."""
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    disc = np.hypot(y - shape[-2] / 2, x - shape[-1] / 3) < min(shape[-2:]) / 4
    return np.random.default_rng(len(shape)).poisson(30 + 30 * disc, shape).astype(np.int16)


@pytest.fixture
def counts() -> Callable[..., np.ndarray]:
    """Return the function :func:`noise`."""
    return noise


def mrc_bytes(stack: np.ndarray, pixel_size_A: float | None) -> bytes:
    """MRC2014: a header of 1024 bytes, then the values. https://www.ccpem.ac.uk/mrc-format/mrc2014/."""
    mode = {"int8": 0, "int16": 1, "float32": 2, "complex64": 4, "uint16": 6}[stack.dtype.name]
    images = stack.reshape(-1, *stack.shape[-2:])
    size = images.shape[::-1]
    grid, cell = (size, [n * pixel_size_A for n in size]) if pixel_size_A is not None else ((0, 0, 0), (0, 0, 0))
    head = struct.pack("<10i6f3i3f2i", *size, mode, 0, 0, 0, *grid, *cell, 90, 90, 90, 1, 2, 3, 0, 0, 0, 0, 0)
    head = head.ljust(208, b"\0") + b"MAP " + bytes([0x44, 0x44, 0, 0])
    return head.ljust(1024, b"\0") + images.astype(images.dtype.newbyteorder("<")).tobytes()


class DigitalMicrograph:
    """Writes the tag tree of DM3 and DM4 files: names, lengths and types big-endian, values little-endian.

    As C. Boothroyd describes it, https://personal.ntu.edu.sg/cbb/info/dmformat/. Groups are dicts, whose keys that begin
    with a blank are written without name; numbers are pairs of type and value.
    """

    def __init__(self, version: int) -> None:
        self.version, self.long = version, ">q" if version == 4 else ">i"

    def file(self, tree: dict[str, Any]) -> bytes:
        body = self.group(tree)
        return (
            struct.pack(">i", self.version) + struct.pack(self.long, len(body)) + struct.pack(">i", 1) + body + bytes(8)
        )

    def group(self, tree: dict[str, Any]) -> bytes:
        return (
            struct.pack(">BB", 1, 0) + struct.pack(self.long, len(tree)) + b"".join(map(self.tag, tree, tree.values()))
        )

    def tag(self, name: str, value: Any) -> bytes:
        label = name.strip().encode()
        content = self.group(value) if isinstance(value, dict) else self.data(value)
        size = struct.pack(">q", len(content)) if self.version == 4 else b""
        return struct.pack(">BH", 20 if isinstance(value, dict) else 21, len(label)) + label + size + content

    def data(self, value: Any) -> bytes:
        if isinstance(value, str):
            info, values = (20, 4, len(value)), value.encode("utf-16-le")
        elif isinstance(value, np.ndarray):
            kind = {"int16": 2, "float32": 6, "uint32": 5, "uint16": 4}[value.dtype.name]
            info, values = (20, kind, value.size), value.astype(value.dtype.newbyteorder("<")).tobytes()
        else:
            code, number = value
            kind = {"i": 3, "H": 4, "I": 5, "f": 6}[code]
            info, values = (kind,), struct.pack(f"<{code}", number)
        return b"%%%%" + b"".join(struct.pack(self.long, number) for number in (len(info), *info)) + values


def dm_bytes(stack: np.ndarray, pixels: tuple[float, ...], units: str, version: int) -> bytes:
    """Encode an image as a DM file with a thumbnail before it, as Gatan's program does."""

    def image(values: np.ndarray, data_type: int, scales: tuple[float, ...], unit: str) -> dict[str, Any]:
        dimension = {
            f" {axis}": {"Origin": ("f", 0.0), "Scale": ("f", scale), "Units": unit}
            for axis, scale in enumerate(scales)
        }
        brightness = {"Origin": ("f", 0.0), "Scale": ("f", 1.0), "Units": ""}
        return {
            "ImageData": {
                "Calibrations": {"Brightness": brightness, "Dimension": dimension},
                "Data": values.ravel(),
                "DataType": ("I", data_type),
                "Dimensions": {f" {axis}": ("I", size) for axis, size in enumerate(values.shape[::-1])},
                "PixelDepth": ("I", values.itemsize),
            },
            "ImageTags": {},
            "Name": "micrograph",
        }

    data_type = {"int16": 1, "float32": 2, "uint16": 10}[stack.dtype.name]
    thumbnail = image(np.zeros((4, 4), np.uint32), 23, (1.0, 1.0), "")
    tree = {
        "ImageList": {" 0": thumbnail, " 1": image(stack, data_type, pixels, units)},
        "Thumbnails": {" 0": {"ImageIndex": ("I", 0)}},
    }
    return DigitalMicrograph(version).file(tree)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an image file of the suffix's format, with its pixel [Å], or without."""

    def write(name: str, values: np.ndarray, pixel_size_A: float | None = PIXEL_A) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        if suffix in (".tif", ".tiff"):
            from rsciio.tiff import file_writer

            axes = [
                {"size": size, "name": name, "scale": scale, "offset": 0.0, "units": units, "navigate": navigate}
                for size, name, scale, units, navigate in zip(
                    values.shape[::-1],
                    "xyz",
                    [1.0 if pixel_size_A is None else pixel_size_A / 10] * 2 + [1.0],
                    ["" if pixel_size_A is None else "nm"] * 2 + [""],
                    [False, False, True],
                    strict=False,
                )
            ][::-1]
            file_writer(str(path), {"data": values, "axes": axes, "metadata": {}})
        elif suffix == ".mrc":
            path.write_bytes(mrc_bytes(values, pixel_size_A))
        else:
            scales = (
                (1.0,) * values.ndim if pixel_size_A is None else (pixel_size_A / 10,) * 2 + (1.0,) * (values.ndim - 2)
            )
            path.write_bytes(dm_bytes(values, scales, "" if pixel_size_A is None else "nm", int(suffix[-1])))
        return path

    return write
