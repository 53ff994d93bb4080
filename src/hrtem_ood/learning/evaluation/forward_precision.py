"""Precision of the forward passes that are scored."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hrtem_ood.config.evaluation import EvaluationPrecision


@contextmanager
def forward_precision(precision: EvaluationPrecision, device: torch.device) -> Iterator[None]:
    """Compute convolutions in a precision inside the block; call it inside ``reproducible()``, which sets float32.

    Parameters
    ----------
    precision : {"float32", "tf32", "bfloat16"}
        ``tf32`` rounds factors to 10 bits of mantissa, on GPUs only; ``bfloat16`` is PyTorch's autocast.
    device : torch.device
    """
    if precision == "bfloat16":
        with torch.autocast(device.type, torch.bfloat16):
            yield
    elif precision == "tf32":
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        before = cudnn.allow_tf32, matmul.allow_tf32
        cudnn.allow_tf32 = matmul.allow_tf32 = True
        try:
            yield
        finally:
            cudnn.allow_tf32, matmul.allow_tf32 = before
    else:
        yield
