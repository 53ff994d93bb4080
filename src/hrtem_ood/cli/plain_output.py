"""Output in locales without Å, σ or −: the closest ASCII text replaces such characters, instead of an error."""

import codecs
import contextlib
import io
import sys
import unicodedata

HANDLER = "hrtem-ood-closest"

CLOSEST = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "…": "...",
        "×": "x",
        "≤": "<=",
        "≥": ">=",
        "±": "+-",
        "→": "->",
        "≈": "~",
        "∞": "inf",
        "°": "deg",
    }
    | {
        "χ": "chi",
        "σ": "sigma",
        "ε": "epsilon",
        "ρ": "rho",
        "λ": "lambda",
        "π": "pi",
        "Δ": "D",
        "φ": "phi",
        "µ": "u",
        "μ": "u",
    }
)


def closest(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement of characters that an encoding lacks: an error handler of :mod:`codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = unicodedata.normalize("NFKD", error.object[error.start : error.end].translate(CLOSEST))
    bare = "".join(character for character in text if not unicodedata.combining(character))
    return bare.encode("ascii", "replace").decode("ascii"), error.end


def tolerate_locale() -> None:
    """Let standard output and error replace characters that their encoding lacks."""
    codecs.register_error(HANDLER, closest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # it flushes; whoever writes next gets the error
                stream.reconfigure(errors=HANDLER)
