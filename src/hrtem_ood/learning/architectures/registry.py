"""Architectures by name: those built in, and those of a user's file."""

import copy
import importlib
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from hrtem_ood.campaign.user_files import definition_of
from hrtem_ood.config.architectures import BUILT_IN, CLASSES
from hrtem_ood.config.training import Architecture
from hrtem_ood.errors import ConfigError
from hrtem_ood.quoting import quoted

FEWEST_CHANNELS = 16
"""Input channels that a 1×1 convolution with a stride must have.

With fewer channels than a vector register has numbers, 8 (AVX2) or 16 (AVX-512), and channels last in memory, oneDNN
writes past its buffer in the gradient of the weights: the process crashes, or the gradient is wrong without an error
(https://github.com/uxlfoundation/oneDNN/issues/6035; observed with PyTorch 2.13).
"""


def class_of(name: str) -> Callable[..., nn.Module]:
    """Import the class of a built-in architecture from the module of its name."""
    module = importlib.import_module(f"hrtem_ood.learning.architectures.{name}")
    network_class: Callable[..., nn.Module] = getattr(module, BUILT_IN[name].class_name)
    return network_class


def build(architecture: Architecture) -> nn.Module:
    """Build a network with random weights, channels last in memory, which is 1.5 times as fast on CPUs.

    Parameters
    ----------
    architecture : Architecture

    Returns
    -------
    torch.nn.Module
        Standardised images (image, 1, y, x) to logits (image, 2, y, x).

    Raises
    ------
    ConfigError
        If a user's file defines no such network, or one that PyTorch does not train correctly.
    ArtifactError
        If a user's file has another content than expected.
    """
    if architecture.file is None:
        network = class_of(architecture.name)(channels=architecture.base_channels, depth=architecture.depth)
    else:
        network = _from_file(architecture)
    _refuse_unsafe_convolutions(network, architecture)
    # torch's stubs lack memory_format here
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def stride_of(network: nn.Module) -> int:
    """Divisor of the sides of images [px]: the network's ``stride``, 1 where it has none.

    Raises
    ------
    ConfigError
        If it is not a whole number of 1 or more.
    """
    stride: object = getattr(network, "stride", 1)
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
        raise ConfigError(
            f"{type(network).__name__}.stride is {quoted(stride)}; it must be the whole number of pixels that divides the "
            "sides of images, 1 if all do."
        )
    return stride


def _from_file(architecture: Architecture) -> nn.Module:
    """Run a user's file, and make a network of the class that it defines under the architecture's name."""
    definition = definition_of(architecture)
    where = f"architecture `{architecture.name}` of {definition.path}"
    errors = definition.errors(architecture.parameters)
    if errors:
        raise ConfigError(f"architecture `{architecture.name}`: {' '.join(errors)}")
    network_class = definition.load()
    if not issubclass(network_class, nn.Module):
        raise ConfigError(f"{where}: the class must be a subclass of torch.nn.Module.")
    try:
        network = network_class(**architecture.parameters)
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise ConfigError(f"{where}: {architecture.label} fails with {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):  # __new__ may return another type
        raise ConfigError(f"{where}: {architecture.label} gives {type(network).__name__}, not a torch.nn.Module.")
    parameters = list(network.parameters())
    if any(is_lazy(parameter) for parameter in parameters) or not any(p.requires_grad for p in parameters):
        raise ConfigError(
            f"{where}: {architecture.label} needs parameters to train, with their sizes (no Lazy layers)."
        )
    return network


def _refuse_unsafe_convolutions(network: nn.Module, architecture: Architecture) -> None:
    """Refuse 1×1 convolutions with a stride and few channels, see :data:`FEWEST_CHANNELS`, on every device alike."""
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d) or layer.kernel_size != (1, 1) or layer.stride == (1, 1):
            continue
        channels, (y, x) = layer.in_channels // layer.groups, layer.stride
        if channels < FEWEST_CHANNELS:
            raise ConfigError(
                f"architecture {architecture.label}: its layer `{name}` is a 1×1 convolution of stride ({y}, {x}) with "
                f"{channels} channels. With fewer than {FEWEST_CHANNELS}, oneDNN, PyTorch's library on CPUs, computes a wrong "
                "gradient, or crashes. Set the stride to 1 and give the layer only the pixels of the stride: "
                f"`{name}(x[..., ::{y}, ::{x}])` is the same."
            )


@torch.no_grad()
def check_size(network: nn.Module, architecture: Architecture, side: int) -> None:
    """Check that a network accepts images of a size; for one of a user's file, a copy is run.

    Parameters
    ----------
    network : torch.nn.Module
    architecture : Architecture
    side : int, [px]

    Raises
    ------
    ConfigError
    """
    stride = stride_of(network)
    # on the lowest level, batch norm needs more than one pixel
    if side % stride or side < 2 * stride:
        key = "depth" if architecture.file is None else "stride"
        raise ConfigError(
            f"architecture {architecture.label}: images are {side} px wide, which must be a multiple, twice or more, "
            f"of the network's stride of {stride} px; use a smaller {key}, or another imaging.pixel_size_A."
        )
    if architecture.file is None:
        return
    image, shape = torch.zeros(1, 1, side, side), (1, CLASSES, side, side)
    try:
        with torch.random.fork_rng(devices=[]):
            logits_shape = tuple(copy.deepcopy(network).cpu().eval()(image).shape)
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        raise ConfigError(
            f"architecture {architecture.label}: fails on an image {tuple(image.shape)}: {type(error).__name__}: {error}"
        ) from error
    if logits_shape != shape:
        raise ConfigError(f"architecture {architecture.label}: gives logits {logits_shape} where {shape} are needed.")
