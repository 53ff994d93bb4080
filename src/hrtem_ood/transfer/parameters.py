"""How ε and σ integrate the contrast transfer function; the section `transfer` of a configuration."""

from typing import Annotated, Literal

from pydantic import Field

from hrtem_ood.base_model import Model


class Transfer(Model):
    """How the information-transfer measures ε and σ integrate the contrast transfer function.

    Examples
    --------
    >>> import hrtem_ood
    >>> condition = hrtem_ood.Condition(defocus_A=50, dose_e_per_A2=400)
    >>> band = hrtem_ood.Transfer(q_max_per_A=0.5, weighting="per_q")
    >>> round(hrtem_ood.epsilon(condition, energy_eV=300e3, pixel_size_A=0.4, transfer=band), 3)
    0.119
    """

    weighting: Literal["per_q", "per_area"] = Field(
        "per_area", description="w(q): 1 (`per_q`) or q (`per_area`: each Fourier pixel counts once)."
    )
    q_min_per_A: Annotated[float, Field(ge=0, le=10)] = Field(0.05, description="Lower end of the band [1/Å].")
    q_max_per_A: Annotated[float, Field(ge=0.01, le=25)] | None = Field(
        None, description="Upper end of the band [1/Å]; left out: the Nyquist frequency of the images."
    )
    radial_points: Annotated[int, Field(ge=16, le=8192)] = Field(512, description="Quadrature points along |q|.")
    azimuthal_points: Annotated[int, Field(ge=1, le=720)] = Field(
        48, description="Quadrature points along the azimuth."
    )
