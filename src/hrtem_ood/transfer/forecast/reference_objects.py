"""Objects of a campaign that a forecaster keeps, so that it can be used without the campaign's exit waves."""

from dataclasses import dataclass

from hrtem_ood.transfer.object_spectrum import ObjectSpectrum


@dataclass(frozen=True)
class ReferenceObjects:
    """Objects of a campaign.

    Attributes
    ----------
    spectrum : ObjectSpectrum
    energy_eV : float, [eV]
        Of the beam: phases depend on it.
    """

    spectrum: ObjectSpectrum
    energy_eV: float
