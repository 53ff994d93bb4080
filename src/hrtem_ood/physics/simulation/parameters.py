"""Settings of the multislice simulation; the section `simulation` of a configuration."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hrtem_ood.base_model import Model, zero_or_from

LEAST_ENERGY_EV, MOST_ENERGY_EV = 10e3, 3e6
"""Beam energies of transmission electron microscopes [eV]."""


class Simulation(Model):
    """Frozen-phonon multislice: how exit waves are computed."""

    energy_eV: Annotated[float, Field(ge=LEAST_ENERGY_EV, le=MOST_ENERGY_EV)] = Field(
        300e3, description="Beam energy [eV]."
    )
    sampling_A: Annotated[float, Field(ge=0.01, le=0.5)] = Field(
        description="Pixel of the wave [Å]; must divide the cell."
    )
    slice_thickness_A: Annotated[float, Field(ge=0.05, le=5)] = Field(1.0, description="Slice thickness [Å].")
    n_frozen_phonons: Annotated[int, Field(ge=1, le=256)] = Field(
        description="Frozen-phonon configurations per structure."
    )
    phonon_sigma_A: Annotated[float, Field(ge=0, le=0.5), zero_or_from(1e-4, "Å")] = Field(
        0.1, description="Standard deviation of the thermal displacements along each axis [Å]; 0 freezes all atoms."
    )
    parametrization: Literal["lobato", "kirkland"] = Field("lobato", description="Atomic potentials.")
    projection: Literal["infinite", "finite"] = Field(
        "infinite", description="Projection of atoms onto slices: each wholly in its own, or spread (`engine: abtem`)."
    )
    engine: Literal["builtin", "abtem"] = Field(
        "builtin", description="This project's multislice, or abTEM's: slower, and less accurate at the same sampling."
    )

    @model_validator(mode="after")
    def _finite(self) -> Self:
        if self.projection == "finite" and self.engine == "builtin":
            raise ValueError("`projection: finite` needs `engine: abtem`; `engine: builtin` supports `infinite` only")
        return self
