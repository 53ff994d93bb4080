"""What enters a network's last convolution, averaged over the pixels of an image: the network's features of the image."""

from torch import Tensor, nn

from hrtem_ood.config.architectures import CLASSES


class FeatureHook:
    """A network that tells its features beside its logits.

    The last convolution is the one whose output is what the network returns, the very tensor: nothing is guessed from the
    order in which a user's file defines layers. A network that ends with anything else has no features.

    Parameters
    ----------
    network : torch.nn.Module
        Gets forward hooks, which change nothing.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._last: tuple[Tensor, Tensor] | None = None
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.out_channels == CLASSES:
                module.register_forward_hook(self._remember)

    def _remember(self, _: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        # at once, so that the large tensor is not kept any longer than the network itself does
        self._last = (given[0].mean(dim=(2, 3)), output)

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
        last, self._last = self._last, None
        if last is None or last[1] is not logits:
            return logits, logits.new_empty(len(logits), 0)
        return logits, last[0]
