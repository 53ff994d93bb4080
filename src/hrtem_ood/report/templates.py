"""Templates of the HTML report and of the study page, and how both write numbers."""

from typing import Any

import jinja2

from hrtem_ood.errors import printable


def load_template(name: str, *, html: bool) -> jinja2.Template:
    """Load a template of this package.

    Parameters
    ----------
    name : str
        File name.
    html : bool
        Whether the template is HTML, else Markdown; values are escaped accordingly.

    Returns
    -------
    jinja2.Template
        With the filters ``score``, ``interval`` and ``plain``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hrtem_ood.report", package_path=""),
        autoescape=html,  # noqa: S701  # values in Markdown pass through `finalize`
        finalize=None if html else markdown_value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"score": format_score, "interval": format_row_interval, "plain": format_value}
    return environment.get_template(name)


def markdown_value(value: Any) -> Any:
    r"""Write a value into Markdown such that it opens no HTML, no link and no further cell or line.

    Back-quotes and emphasis stay: only this project's texts have them; names consist of letters, digits
    and ``_.-`` only.

    Examples
    --------
    >>> markdown_value("<b>a|b [c](d)")
    '&lt;b>a\\|b [c]\\(d)'
    """
    if not isinstance(value, str):
        return value
    line = " ".join(printable(value).splitlines())
    return line.replace("<", "&lt;").replace("|", "\\|").replace("](", "]\\(")


def format_score(value: float, *, signed: bool = False, digits: int = 2) -> str:
    """Write a score with two digits or the given number, or a dash where there is none."""
    if value != value:  # NaN
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def format_interval(value: float, low: float, high: float, *, digits: int = 2) -> str:
    """Write a signed number with its interval; without a number, a dash."""
    text = format_score(value, signed=True, digits=digits)
    if value != value:  # NaN
        return text
    return f"{text} [{format_score(low, signed=True, digits=digits)}, {format_score(high, signed=True, digits=digits)}]"


def format_row_interval(row: dict[str, Any], value: str, prefix: str | None = None, *, digits: int = 2) -> str:
    """Write a number of a table's row with the interval in ``<prefix>_low`` and ``<prefix>_high``; prefix: the name."""
    prefix = prefix or value
    return format_interval(row[value], row[f"{prefix}_low"], row[f"{prefix}_high"], digits=digits)


def format_value(value: Any) -> str:
    """Write a value of a table; one that is not set is a dash."""
    if isinstance(value, float):
        return "–" if value != value else f"{value:g}"  # NaN
    return str(value)
