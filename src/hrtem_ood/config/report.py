"""The section `report`."""

from typing import Annotated

from pydantic import Field

from hrtem_ood.base_model import Model


class Report(Model):
    """Appearance of figures. Does not affect numbers."""

    dpi: Annotated[int, Field(ge=50, le=600)] = Field(130, description="Resolution of PNG figures.")
    palette: Annotated[str, Field(max_length=60)] = Field("crest", description="Seaborn colour map of the OOD matrix.")
    examples: Annotated[int, Field(ge=1, le=16)] = Field(2, description="Example images per condition.")
