"""Numbers with units as text."""


def format_count(number: int, noun: str) -> str:
    """Write a number of things, e.g. ``1 job`` or ``2 jobs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_hours(hours: float | None) -> str:
    """Write a number of hours without its unit, or nothing for None; less than half a minute is ``< 0.01``."""
    if hours is None:
        return ""
    if 0 < hours < 0.005:
        return "< 0.01"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 0.1 else f"{hours:.2f}"


def format_duration(hours: float) -> str:
    """Write a duration, e.g. ``1.5 h``, ``12 min`` or ``3 s``."""
    minutes = hours * 60
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.0f} min" if minutes >= 1 else f"{minutes * 60:.0f} s"


def format_bytes(size: float) -> str:
    """Write a size with a decimal prefix, e.g. ``1.2 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def format_prefixed(number: int | None) -> str:
    """Write a large number with a prefix, e.g. ``289 M``; ``unknown`` for None."""
    if number is None:
        return "unknown"
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number / 1e3:.3g} k"
