"""A network's features of an image: the input of its last convolution, averaged over the pixels."""

from typing import NamedTuple

from torch import Tensor, nn

from hrtem_ood.config.architectures import CLASSES


class FeatureHook:
    """A network that returns its features beside its logits.

    The last convolution is the one whose output tensor is the network's return value. It does not depend on the order in
    which a user's file defines layers. A network that ends with another layer has no features.

    Parameters
    ----------
    network : torch.nn.Module
        Receives forward hooks, which do not change its output.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._last: tuple[Tensor, Tensor] | None = None
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.out_channels == CLASSES:
                module.register_forward_hook(self._record)

    def _record(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # averaged at once, so that the large tensor is not kept longer than by the network itself
        self._last = (inputs[0].mean(dim=(2, 3)), output)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and features of some images.

        Parameters
        ----------
        image : float32 tensor, (image, 1, y, x), [1]

        Returns
        -------
        logits : float32 tensor, (image, 2, y, x), [1]
        feature : float32 tensor, (image, channel), [1]
            Without columns where the network does not end with a convolution.
        """
        logits: Tensor = self.network(image)
        return logits, self.features_of(logits)

    def features_of(self, logits: Tensor) -> Tensor:
        """Return the features of the images whose logits the network has just returned; see :meth:`__call__`."""
        last, self._last = self._last, None
        if last is None or last[1] is not logits:
            return logits.new_empty(len(logits), 0)
        return last[0]


class ScoredNetwork(NamedTuple):
    """A network that is tested.

    Attributes
    ----------
    hook : FeatureHook
        In evaluation mode, on the device.
    training_side_px : int, [px]
        Of the training images.
    repair : bool
        Whether the images that it sees are repaired.
    """

    hook: FeatureHook
    training_side_px: int
    repair: bool = False
