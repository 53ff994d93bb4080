"""Drawing all figures of a campaign: each row of the catalogue has a module here that draws and describes it."""

import importlib
import re
from typing import Protocol, cast

from matplotlib.figure import Figure

from hrtem_ood.campaign.report_files import CAPTION, KINDS, figure_names
from hrtem_ood.errors import printable
from hrtem_ood.plotting import render
from hrtem_ood.progress import track
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.style import theme


class FigureModule(Protocol):
    """A module ``report/figures/<name>.py`` of the row ``<name>`` of :data:`hrtem_ood.campaign.report_files.FIGURES`."""

    def draw(self, data: ReportData) -> Figure:
        """Draw the figure."""

    def caption(self, data: ReportData) -> str:
        """Describe the figure."""


def figure_module(name: str) -> FigureModule:
    """Import the module of a figure."""
    return cast("FigureModule", importlib.import_module(f"hrtem_ood.report.figures.{name}"))


def all_figures(data: ReportData) -> dict[str, bytes]:
    """Draw every figure of a campaign.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    dict of str to bytes
        Contents of files by their names in :func:`hrtem_ood.campaign.report_files.report_files`.
    """
    names, files = figure_names(data.campaign), {}
    with theme():
        for name in track(names, "figures", len(names)):
            figure = figure_module(name).draw(data)
            for kind, content in zip(KINDS, render(figure, KINDS, data.campaign.config.report.dpi), strict=True):
                files[f"figures/{name}.{kind}"] = content
    for name, text in captions(data).items():
        files[f"figures/{name}.{CAPTION}"] = f"{caption_rst(text)}\n".encode()
    return files


def caption_rst(text: str) -> str:
    r"""Write plain text such that reStructuredText, and the template engine of Snakemake before it, show it as it is.

    Examples
    --------
    >>> caption_rst("gap_f1 {{ x }}\n.. raw:: html")
    "gap\\_f1 {{ '{' }}{{ '{' }} x \\}\\} \\.\\. raw\\:\\: html"
    """
    line = " ".join(printable(text).split())
    escaped = re.sub(r"([!-/:-@\[-`|}~])", r"\\\1", line)
    return escaped.replace("{", "{{ '{' }}")


def captions(data: ReportData) -> dict[str, str]:
    """Return the caption of every figure of a campaign, by its name."""
    return {name: figure_module(name).caption(data) for name in figure_names(data.campaign)}
