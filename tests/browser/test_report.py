"""The report in a real browser, opened from disk: what it shows, and what pointer and keys do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

MATRIX, SCATTER = "#matrix-explorer", "#scatter-explorer"


class Watched:
    """A page, with what it requested and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.mistakes: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda line: self.mistakes.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))

    def open(self, path: Path) -> Page:
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=60_000)
        return self.page


@pytest.fixture
def opened(chromium: Browser, report_page: Path) -> Iterator[Watched]:
    """Return the report, opened; in the end, it must have requested nothing and reported no mistake."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_offline(True)
    watched = Watched(context.new_page())
    watched.open(report_page)
    yield watched
    assert [url for url in watched.requests if not url.startswith("data:")] == [report_page.as_uri()]
    assert watched.mistakes == []
    assert watched.page.evaluate("window.broken") is None
    context.close()


def place(page: Page, row: int, column: int) -> tuple[float, float]:
    """Where a cell of the matrix is, in the window."""
    page.locator(f"{MATRIX} .plot").scroll_into_view_if_needed()
    at = page.evaluate(f"window.explorer.plot.place({row}, {column})")
    return at["x"], at["y"]


def facts(page: Page, where: str) -> dict[str, str]:
    """Terms and texts of a list of facts that is shown."""
    terms, texts = (page.locator(f"{where} .facts {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(terms, texts, strict=True))


def labels(page: Page) -> tuple[list[str], list[str]]:
    """Titles of rows and columns of the matrix."""
    found = page.evaluate(
        "[explorer.plot.table.rows, explorer.plot.table.columns].map((some) => some.map((each) => each.title))"
    )
    return tuple(found)


def change(page: Page, label: str, value: str, section: str = MATRIX) -> None:
    """Choose or type something, and wait until the plot is drawn again."""
    before = page.get_attribute(section, "data-drawn")
    control = page.locator(section).get_by_label(label, exact=True)
    if control.evaluate("(each) => each.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)
    page.wait_for_selector(f"{section}:not([data-drawn='{before}'])", state="attached")


def test_it_begins_with_the_answer_whose_links_lead_to_their_evidence(opened: Watched) -> None:
    page = opened.page
    answer = page.locator("#answer")
    assert answer.bounding_box()["y"] + answer.bounding_box()["height"] < 900
    assert answer.locator("dd").count() == 9
    for link in answer.get_by_role("link").all():
        target = link.get_attribute("href")
        link.click()
        assert page.locator(target).count() == 1
        assert page.url.endswith(target)


def test_pointing_at_a_cell_tells_of_it(opened: Watched) -> None:
    page = opened.page
    page.mouse.move(*place(page, 0, 2))
    shown = facts(page, f"{MATRIX} .tip:visible")
    # trained at −100 Å, tested at +100 Å: 0.905 − 0.005 − 0.4
    assert shown["trained on"] == "Δf −100 Å"
    assert (shown["tested under"], shown["shift"]) == ("Δf +100 Å", "defocus")
    assert (shown["F1"], shown["F1 gap"]) == ("0.50", "−0.40")
    assert re.fullmatch(r"0: F1 0\.5[01]; 1: F1 0\.(49|50)", shown["seeds"])  # 0.505 and 0.495, rounded
    assert "forecast F1" in shown
    page.mouse.move(5, 5)
    assert page.locator(f"{MATRIX} .tip").is_hidden()


def test_clicking_a_cell_shows_what_its_network_sees(opened: Watched) -> None:
    page = opened.page
    page.mouse.click(*place(page, 2, 1))
    assert facts(page, f"{MATRIX} .details")["F1"] == "0.70"
    pictures = page.locator(f"{MATRIX} .details img")
    assert pictures.count() == 4
    captions = page.locator(f"{MATRIX} .details figcaption").all_inner_texts()
    assert captions == ["image", "label", "probability of particle", "error"]
    assert all(each.evaluate("(each) => each.naturalWidth") == 32 for each in pictures.all())
    assert re.search(
        r"Image \d as seen by the median network \(seed 1, ", page.locator(f"{MATRIX} .details .note").inner_text()
    )


def test_keys_move_show_zoom_and_go_back(opened: Watched) -> None:
    page = opened.page
    page.locator(f"{MATRIX} .plot").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert facts(page, f"{MATRIX} .tip:visible")["trained on"] == "Δf +100 Å"
    assert page.locator(f"{MATRIX} .live").inner_text().startswith("trained on: Δf +100 Å; tested under: Δf +100 Å; ")
    page.keyboard.press("Enter")
    assert facts(page, f"{MATRIX} .details")["shift"] == "in-domain"
    before = page.get_attribute(MATRIX, "data-drawn")
    page.keyboard.press("+")
    page.wait_for_selector(f"{MATRIX}:not([data-drawn='{before}'])", state="attached")
    assert labels(page)[0] == ["Δf +100 Å, seed 0", "Δf +100 Å, seed 1"]
    before = page.get_attribute(MATRIX, "data-drawn")
    page.keyboard.press("Escape")
    page.wait_for_selector(f"{MATRIX}:not([data-drawn='{before}'])", state="attached")
    assert len(labels(page)[0]) == 3


def test_sorting_and_filtering(opened: Watched) -> None:
    page = opened.page
    assert labels(page)[1] == ["Δf −100 Å", "Δf 0 Å", "Δf +100 Å", "Δf +100 Å, 50 e/Å²", "Δf +100 Å, 100 e/Å²"]
    change(page, "Sort training sets by", "shown")
    values = np.array(list(page.evaluate("Array.from(explorer.plot.table.values)"))).reshape(3, 5)
    assert np.all(np.diff(values.mean(axis=1)) >= 0)
    change(page, "Sort test conditions by", "own:dose_e_per_A2")
    assert labels(page)[1][:2] == ["Δf +100 Å, 50 e/Å²", "Δf +100 Å, 100 e/Å²"]
    change(page, "Keep test conditions by", "own:defocus_A")
    change(page, "Keep test conditions from", "-10")
    change(page, "Keep test conditions to", "10")
    assert labels(page)[1] == ["Δf 0 Å"]
    change(page, "Keep training sets by", "cell:predictor_abs_delta_defocus_A")
    change(page, "Keep training sets from", "1000")
    assert labels(page)[0] == []
    assert "Nothing fits the filters." in page.locator(f"{MATRIX} .count").inner_text()
    change(page, "Keep training sets from", "")
    change(page, "Keep training sets named", "MIXED")
    assert labels(page)[0] == ["mixed (2 conditions)"]


def test_another_score_and_from_groups_to_networks(opened: Watched) -> None:
    page = opened.page
    change(page, "Colour shows", "cross_entropy")
    values = page.evaluate("Array.from(explorer.plot.table.values)")
    assert values[2] == pytest.approx(0.5, abs=1e-3)  # 1 − F1
    change(page, "Colour shows", "gap_f1")
    mapper = page.evaluate("[explorer.plot.mapper.low, explorer.plot.mapper.high]")
    assert mapper[0] == -mapper[1] < 0
    page.get_by_role("button", name="groups", exact=True).click()
    page.wait_for_selector(f"{MATRIX} .path button[aria-pressed=true]:text-is('groups')")
    assert labels(page)[1] == ["Δf", "dose"]
    page.mouse.click(*place(page, 0, 1))
    assert "(2 test datasets)" in facts(page, f"{MATRIX} .details")["tested under"]
    page.get_by_role("button", name="Zoom in to this group").click()
    page.wait_for_selector(f"{MATRIX} .path button[aria-pressed=true]:text-is('training sets')")
    assert labels(page)[1] == ["Δf +100 Å, 50 e/Å²", "Δf +100 Å, 100 e/Å²"]
    page.mouse.click(*place(page, 0, 0))
    page.get_by_role("button", name="Show its single networks").click()
    page.wait_for_selector(f"{MATRIX} .path button[aria-pressed=true]:text-is('single networks')")
    assert [title.rpartition(", ")[2] for title in labels(page)[0]] == ["seed 0", "seed 1"]


def test_gap_against_predictors(opened: Watched) -> None:
    page = opened.page
    change(page, "Across", "cell:predictor_abs_delta_defocus_A", SCATTER)
    points = page.evaluate("scatter.plot.list.map(({ x, y }) => [x, y])")
    assert len(points) == 15
    far = max(points)
    assert far == [pytest.approx(200, abs=0.1), pytest.approx(-0.4, abs=1e-3)]
    host = page.locator(f"{SCATTER} .plot")
    host.scroll_into_view_if_needed()
    at = page.evaluate("scatter.plot.place(scatter.plot.list.at(-1))")
    page.mouse.move(at["x"], at["y"])
    assert facts(page, f"{SCATTER} .tip:visible")["F1 gap"] == "−0.40"
    page.mouse.click(at["x"], at["y"])
    assert page.locator(f"{SCATTER} .details img").count() == 4
    host.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "trained on: " in page.locator(f"{SCATTER} .live").inner_text()
    # the filters of the matrix hold here, too
    change(page, "Keep training sets named", "mixed")
    page.wait_for_selector(f"{SCATTER} .count:has-text('5 cells')")


def simulated(colours: np.ndarray, kind: str) -> np.ndarray:
    """Linear RGB as seen with a colour blindness (Machado, Oliveira & Fernandes, IEEE TVCG 15 (2009) 1291, severity 1)."""
    matrices: dict[str, Any] = {
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "tritanopia": [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    }
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return np.clip(linear @ np.array(matrices[kind]).T, 0, 1)


@pytest.mark.parametrize("kind", ["protanopia", "deuteranopia", "tritanopia"])
def test_colours_differ_for_the_colour_blind(opened: Watched, kind: str) -> None:
    palettes = opened.page.evaluate("DATA.palettes")
    rgb = {
        name: np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in some])
        for name, some in palettes.items()
    }
    for name in ("score", "other"):  # by their lightness alone
        light = simulated(rgb[name], kind) @ [0.2126, 0.7152, 0.0722]
        steps = np.diff(light)
        assert np.all(steps > -1e-3) or np.all(steps < 1e-3), name
        assert np.ptp(light) > 0.25, name
    ends = simulated(rgb["difference"][[0, -1]], kind)
    assert np.abs(np.diff(ends, axis=0)).max() > 0.15  # worse and better are not mistaken for each other
    middle = simulated(rgb["difference"][[0, 32, 63]], kind) @ [0.2126, 0.7152, 0.0722]
    assert middle[1] > 2 * max(middle[0], middle[2])
    names = opened.page.evaluate("STYLES")
    assert len({marker for _, marker in names}) == len(names)  # kinds of shift differ by their signs, too


@pytest.mark.parametrize("width", [400, 768])
def test_narrow_screens_need_no_sideways_scrolling(chromium: Browser, report_page: Path, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, has_touch=True)
    page = Watched(context.new_page()).open(report_page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.mouse.click(*place(page, 0, 1))
    assert page.locator(f"{MATRIX} .details img").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    size = page.locator("#answer dd").first.evaluate("(each) => parseFloat(getComputedStyle(each).fontSize)")
    assert size >= 14
    context.close()


def test_without_scripts_and_in_print_the_figures_are_static(chromium: Browser, report_page: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report_page.as_uri())
    for figure in ("#ood_matrix", "#ood_gap", "#network_views"):
        assert page.locator(f"{figure} img").is_visible()
    assert page.locator(MATRIX).is_hidden()
    context.close()
    context = chromium.new_context()
    page = Watched(context.new_page()).open(report_page)
    assert page.locator("#ood_matrix .static").is_hidden()
    page.emulate_media(media="print")
    assert page.locator("#ood_matrix .static").is_visible()
    assert page.locator(MATRIX).is_hidden()
    assert page.locator("nav").first.is_hidden()
    assert len(page.pdf()) > 50_000
    context.close()
