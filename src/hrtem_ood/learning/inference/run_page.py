"""The page of a run: one HTML file that asks no other host for anything, with its images in it."""

import base64
import html
import math
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np

from hrtem_ood.errors import printable
from hrtem_ood.learning.inference.figures import draw_diameters
from hrtem_ood.learning.inference.run_record import ImageRecord, RunRecord

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem; padding: 0 1rem; color: #1b1b1b; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 1.8rem; }
.meta { color: #555; margin: .1rem 0; overflow-wrap: anywhere; }
.warnings { border-left: 4px solid #d55e00; background: #fdf1ea; padding: .5rem 1rem; }
.warnings li { overflow-wrap: anywhere; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { width: 100%; display: block; background: #eee; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; } td:last-child { white-space: normal; }
.histogram { max-width: 40rem; width: 100%; }
"""

HEADS = (
    "image",
    "size [px]",
    "pixel [Å]",
    "particles",
    "covered",
    "median diameter [Å]",
    "confidence",
    "notes",
    "files",
)

MOST_NAMES = 5
"""Images with the same note are named up to so many."""


def run_page(record: RunRecord) -> str:
    """Write the page of a run.

    Parameters
    ----------
    record : RunRecord
        With one image or more. Its text may be of somebody else: all of it is escaped.

    Returns
    -------
    str
        HTML.
    """
    count, failed = len(record.images), len(record.failed)
    heading = f"{count} segmented {'image' if count == 1 else 'images'}" + (f", {failed} failed" if failed else "")
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{heading}</title><style>{STYLE}</style></head><body>",
        f"<h1>{heading}</h1>",
        *_about(record),
        *_warnings(record),
        *_histogram(record),
        *_thumbnails(record),
        *_table(record),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _text(value: object) -> str:
    return html.escape(printable(str(value)))


def _about(record: RunRecord) -> Iterator[str]:
    network = record.network
    conditions = [str(each) for each in network["conditions"]]
    more = f" and {len(conditions) - 5} more" if len(conditions) > 5 else ""
    yield (
        f'<p class="meta">Network <b>{_text(network["id"])}</b>, trained at {network["energy_eV"] / 1000:g} keV, '
        f"{network['pixel_size_A']:g} Å pixels, on {_text('; '.join(conditions[:5]))}{more}.</p>"
    )
    options = {name: value for name, value in record.options.items() if value not in (None, False, 0)}
    stated = [name if value is True else f"{name} {value}" for name, value in options.items()]
    yield f'<p class="meta">hrtem-ood {_text(record.version)}, {_text(record.written)}. {_text("; ".join(stated))}</p>'
    yield (
        "<p>Check the outlines by eye. A network can be certain and wrong: confidence tells where its probability is near 0 or "
        "1, not that it is right.</p>"
    )


def _warnings(record: RunRecord) -> Iterator[str]:
    lines = [f"<b>Not segmented</b>: {_text(one.message)}" for one in record.failed]
    noted: dict[str, list[str]] = {}
    for image in record.images:
        for note in image.notes:
            noted.setdefault(note, []).append(image.name)
    for note, names in noted.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        lines.append(f"<b>{_text(', '.join(names[:MOST_NAMES]))}</b>{more}: {_text(note)}")
    if lines:
        yield '<div class="warnings"><h2>Warnings</h2><ul>'
        yield from (f"<li>{line}</li>" for line in lines)
        yield "</ul></div>"


def _histogram(record: RunRecord) -> Iterator[str]:
    every = np.concatenate([image.diameters_A for image in record.images])
    whole = np.concatenate([image.diameters_A[~image.at_edge] for image in record.images])
    if len(every) == 0:
        return
    cut = len(every) - len(whole)
    shown, which = (whole, f"{len(whole)} particles") if len(whole) else (every, f"{len(every)} particles, cut off")
    yield "<h2>Sizes</h2>"
    yield f'<img class="histogram" alt="histogram of diameters" src="{_data(draw_diameters(shown, which), "png")}">'
    if cut and len(whole):
        yield f'<p class="meta">Without {cut} particles that touch the edge of their image, and may go on beyond it.</p>'


def _thumbnails(record: RunRecord) -> Iterator[str]:
    yield '<h2>Images</h2><div class="images">'
    for image in record.images:
        if not image.thumbnail:
            continue
        name, wide = _text(image.name), image.shape[1] * image.pixel_size_A / 10
        flag = " ⚠" if image.notes else ""
        median = f", median {image.median_diameter_A:.3g} Å" if len(image.diameters_A) else ""
        yield (
            f'<figure><a href="{_link(image, "picture")}"><img alt="{name}" src="{_data(image.thumbnail, "jpeg")}"></a>'
            f"<figcaption><b>{name}</b>{flag}<br>{_count(len(image.diameters_A))}{median}; {wide:.3g} nm wide</figcaption>"
            "</figure>"
        )
    yield "</div>"
    left = sum(not image.thumbnail for image in record.images)
    if left:
        yield f'<p class="meta">{left} more images are in the table.</p>'


def _table(record: RunRecord) -> Iterator[str]:
    yield '<h2>Table</h2><div class="scroll"><table><thead><tr>'
    yield "".join(f"<th>{_text(head)}</th>" for head in HEADS) + "</tr></thead><tbody>"
    for image in record.images:
        cells = (
            _text(image.name),
            " × ".join(map(str, image.shape)),
            f"{image.pixel_size_A:.4g}",
            str(len(image.diameters_A)),
            f"{image.covered:.1%}",
            _number(image.median_diameter_A, ".3g"),
            _number(image.confidence, ".2f"),
            str(len(image.notes) or ""),
            " ".join(f'<a href="{_link(image, kind)}">{kind}</a>' for kind in image.outputs),
        )
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"
    yield (
        '<p class="meta">Particles of all images: <a href="all_particles.csv">all_particles.csv</a>. Inputs with their sha256, '
        'and options: <a href="run.json">run.json</a>.</p>'
    )


def _count(particles: int) -> str:
    return f"{particles} {'particle' if particles == 1 else 'particles'}"


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else format(value, form)


def _link(image: ImageRecord, kind: str) -> str:
    name = image.outputs[kind].name.encode("utf-8", "surrogateescape")
    return "./" + quote(name)  # without ./, a colon would make a scheme of what is before it


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
