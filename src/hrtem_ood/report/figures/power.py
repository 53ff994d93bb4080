"""Figure `power`: the power of the phase-contrast transfer of the conditions."""

from matplotlib.figure import Figure

from hrtem_ood.report.data import ReportData
from hrtem_ood.report.figures.ctf import draw_transfer, is_drawn_as_curves

CAPTION = (
    "Power transfer T² against spatial frequency |q|: azimuthal mean, {how}. Its weighted mean over the band is ε. "
    "Unlike T it does not cancel between azimuths, and it does not depend on the sign of contrast."
)


def caption(data: ReportData) -> str:
    """Describe the figure."""
    if is_drawn_as_curves(data.campaign.transfer.conditions):
        return CAPTION.format(how="within the squared envelopes (grey)")
    return CAPTION.format(how="one row per condition, as above") + " White: nothing is transferred."


def draw(data: ReportData) -> Figure:
    """Draw T²(q) of all conditions."""
    return draw_transfer(data, power=True)
