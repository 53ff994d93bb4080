"""How often a wrong pixel size is suspected from the lattice spacings of an image, and how often a right one.

The images are those of `image_estimates.py`: CdSe and gold on carbon films under 32 conditions, 0.4 Å pixels. Each is read with
the right pixel and with pixels wrong by ±10 and ±20 %. Expected are the crystals of the network's training: that of the image,
or, for the false alarms of a network that was trained on something else, the other one.

Hypotheses, written before the first run:
1. a right pixel is suspected in at most 2 % of the images, whichever of the two crystals is expected;
2. a pixel wrong by 10 or 20 % is suspected in at least half of the images that show three spacings or more;
3. where it is suspected, the factor told is right within 3 % in 90 % of the cases.

python benchmarks/pixel_size.py
"""

from collections import Counter
from time import process_time

import numpy as np
from image_estimates import CDSE, GOLD, PIXEL_A, conditions, image, scenes
from report import Budget, report

from hrtem_ood.learning.inference.image_estimates.lattice import find_spacings
from hrtem_ood.learning.inference.image_estimates.pixel_size import (
    FEWEST,
    LEAST_SPACING_A,
    metals,
    reflections,
    suspect_pixel,
)
from hrtem_ood.learning.inference.image_estimates.quantities import Unknown
from hrtem_ood.learning.inference.image_estimates.spectra import cut_tiles

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)
"""Stated pixel over the right one."""

REPEATS = 3
"""Each scene under how many of the conditions in turn."""


def main() -> None:
    """Measure and report."""
    begin = process_time()
    crystals = {"CdSe": reflections(CDSE), "Au": reflections(GOLD)}
    others = list(metals().values())
    Counts = Counter[tuple[str, float]]
    told, images, suspected, right = Counts(), Counts(), Counts(), Counts()
    made = list(scenes())
    points = conditions()
    for number, condition in enumerate(points):
        for turn in range(REPEATS):
            scene = made[(number + turn) % len(made)]
            own = "CdSe" if scene.material == CDSE else "Au"
            counts = image(scene, condition, number + 1000 * turn)
            for factor in FACTORS:
                tiles = cut_tiles(counts, np.ones(counts.shape, bool), pixel_size_A=factor * PIXEL_A)
                spacings = find_spacings(tiles)
                number_seen = (
                    0
                    if isinstance(spacings, Unknown)
                    else sum(each.spacing_A.value > LEAST_SPACING_A for each in spacings)
                )
                for kind, name in (("own", own), ("other", "Au" if own == "CdSe" else "CdSe")):
                    key = (kind, factor)
                    images[key] += 1
                    told[key] += number_seen >= FEWEST
                    found = suspect_pixel(spacings, {name: crystals[name]}, others)
                    if found is not None:
                        suspected[key] += 1
                        right[key] += abs(found.factor * factor - 1) < 0.03
    figures = {"images": float(images["own", 1.0])}
    for factor in FACTORS:
        key, name = ("own", factor), f"{100 * (factor - 1):+.0f} %"
        figures[f"pixel {name}: images with spacings enough [%]"] = 100 * told[key] / images[key]
        figures[f"pixel {name}: suspected [%]"] = 100 * suspected[key] / images[key]
        figures[f"pixel {name}: suspected, of those with spacings enough [%]"] = (
            100 * suspected[key] / max(told[key], 1)
        )
    other = 100 * suspected["other", 1.0] / images["other", 1.0]
    figures["right pixel, other crystal expected: suspected [%]"] = other
    wrong = [("own", factor) for factor in FACTORS if factor != 1]
    hits = sum(suspected[key] for key in wrong)
    figures["wrong pixels: suspected, of those with spacings enough [%]"] = 100 * hits / sum(told[key] for key in wrong)
    figures["wrong pixels: factor right within 3 %, of those suspected [%]"] = (
        100 * sum(right[key] for key in wrong) / hits if hits else float("nan")
    )
    figures["all, CPU [s]"] = process_time() - begin
    budgets = [
        Budget("pixel +0 %: suspected [%]", 2, "max"),
        Budget("right pixel, other crystal expected: suspected [%]", 2, "max"),
        Budget("wrong pixels: suspected, of those with spacings enough [%]", 50, "min"),
        Budget("wrong pixels: factor right within 3 %, of those suspected [%]", 90, "min"),
    ]
    report(
        "pixel_size", figures, budgets, [f"{figures['images']:.0f} images, each read with {len(FACTORS)} pixel sizes."]
    )


if __name__ == "__main__":
    main()
