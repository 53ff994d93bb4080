"""The section `evaluation`."""

from typing import Literal

from pydantic import Field

from hrtem_ood.base_model import Model

EvaluationPrecision = Literal["float32", "tf32", "bfloat16"]


class Evaluation(Model):
    """How networks are scored."""

    numeric_precision: EvaluationPrecision = Field(
        "float32",
        description="Precision of the networks' forward passes; scores are computed in float32. GPUs are several times as fast "
        "with `tf32` (products of 10-bit mantissas) or `bfloat16` (7 bits, by autocast), and scores change with it, so each has "
        "evaluations of its own. A CPU computes in float32 where `tf32` is given.",
    )
