"""The page on which a reader points into RDMs, in a browser: mouse, keyboard and touch."""

import json
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr
from small_study import N, brain, models, patterns, read

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import Browser, find_chromium

from realnet.rdm import square
from realnet.settings import REPOSITORY
from workflow import explorer


class Page:
    """The explorer of the small study in a browser: what it shows, and what a reader does."""

    def __init__(self, browser, path, width):
        self.browser = browser
        self.look = browser.look(path.as_uri(), width)
        self.wait("document.querySelector('[data-show=rho]').textContent")

    def ask(self, expression):
        said = self.browser.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait(self, expression):
        deadline = time.monotonic() + 30
        while not self.ask(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.02)

    def shown(self):
        """The texts of the page by the name of their place: dict."""
        return self.ask("Object.fromEntries([...document.querySelectorAll('[data-show]')]"
                        ".map(e => [e.dataset.show, e.textContent]))")  # fmt: skip

    def choose(self, name, value):
        self.ask(f"(() => {{ const list = document.querySelector('[data-choice=\"{name}\"]'); list.value = "
                 f"{json.dumps(value)}; list.dispatchEvent(new Event('change')); }})()")  # fmt: skip

    def cell(self, side, row, column, n):
        """Where a cell of a matrix lies in the window: dict of x and y."""
        box = self.ask(f"(() => {{ const c = document.querySelector('[data-side={side}]'); c.scrollIntoView();"
                       " const b = c.getBoundingClientRect(); return [b.left, b.top, b.width]; })()")  # fmt: skip
        return {"x": box[0] + (column + 0.5) / n * box[2], "y": box[1] + (row + 0.5) / n * box[2]}

    def mouse(self, kind, place, button="none"):
        self.browser.call("Input.dispatchMouseEvent", type=kind, button=button, clickCount=1, **place)

    def press(self, key, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            self.browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, modifiers=modifiers)


@pytest.fixture(scope="module")
def opened(root, tmp_path_factory):
    """(width) -> Page, freshly opened."""
    if not find_chromium():
        pytest.skip("there is no Chromium on PATH: install it (Debian: apt-get install chromium) to look at the page")
    folder = root / "book" / "_extra"
    for name in ("explorer.js", "book.css"):
        shutil.copy(REPOSITORY / "book" / "_static" / name, folder)
    text = (root / "book" / "_explorer.md").read_text(encoding="utf-8")
    body = re.search(r"```{raw} html\n(.*?)```", text, re.DOTALL)[1]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    style = '<link rel="stylesheet" href="book.css"><link rel="icon" href="data:,">'
    path = folder / "page.html"
    style += '<script src="explorer.js"></script>'
    path.write_text(f"<!doctype html><html><head>{head}{style}</head><body>{body}</body></html>", encoding="utf-8")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield lambda width: Page(browser, path, width)
    browser.close()


def expected(study, name, model, labels, pair):
    """What the page should show of a pair of images: dissimilarities and ranks of model and brain."""
    rdms = models(study, name)[model], brain(study, labels, name)
    values = [f"{square(rdm)[pair]:.3f}" for rdm in rdms]
    ranks = [square(rankdata(rdm))[pair] for rdm in rdms]
    return values, [f"{rank:g} of {len(rdms[0])}" for rank in ranks]


def told(shown):
    return [shown["model-value"], shown["brain-value"]], [shown["model-rank"], shown["brain-rank"]]


FIRST = ("Shen 2019", "sub-01", "V1", "")  # what the page starts with


@pytest.mark.parametrize("width", [1280, 390])
def test_the_mouse_moves_the_crosshair_and_the_values(opened, study, width):
    page = opened(width)
    assert page.look["width"] <= width
    for side, pair in (("model", (2, 7)), ("brain", (9, 4))):
        page.mouse("mouseMoved", page.cell(side, *pair, N["natural"]))
        shown = page.shown()
        assert told(shown) == expected(study, "natural", 0, FIRST, pair)
        assert [shown["image-0"], shown["image-1"]] == [f"Row: natural-{pair[0]}", f"Column: natural-{pair[1]}"]
        assert f"natural-{pair[0]} and natural-{pair[1]}. model: dissimilarity" in shown["spoken"]
    rho = spearmanr(models(study, "natural")[0], brain(study, FIRST, "natural")).statistic
    assert float(shown["rho"]) == pytest.approx(rho, abs=1e-6)
    for kind in ("mousePressed", "mouseReleased"):  # a click holds the pair
        page.mouse(kind, page.cell("brain", 3, 5, N["natural"]), "left")
    page.mouse("mouseMoved", page.cell("brain", 8, 2, N["natural"]))
    assert told(page.shown()) == expected(study, "natural", 0, FIRST, (3, 5))


def test_the_keyboard_moves_the_crosshair_and_the_values(opened, study):
    page = opened(1280)
    for _ in range(8):  # seven lists come first
        page.press("Tab")
    assert page.ask("document.activeElement.dataset.side") == "model"
    place = [4, 8]
    for key, axis, step in [("ArrowUp", 0, -1), ("ArrowLeft", 1, -1), ("ArrowDown", 0, 1), ("ArrowRight", 1, 1)] * 2:
        page.press(key)
        place[axis] += step
        assert told(page.shown()) == expected(study, "natural", 0, FIRST, tuple(place))
    page.press("ArrowRight", modifiers=8)  # Shift: ten images, or as many as there are
    assert told(page.shown()) == expected(study, "natural", 0, FIRST, (4, 11))
    page.press("ArrowDown", modifiers=8)
    assert told(page.shown()) == (["–", "–"], ["–", "–"])  # an image with itself
    page.ask("document.querySelector('[data-key=ArrowUp]').click()")
    assert told(page.shown()) == expected(study, "natural", 0, FIRST, (10, 11))


def test_a_tap_moves_the_crosshair_and_the_values(opened, study):
    page = opened(390)
    page.browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    for pair in ((1, 10), (6, 3)):
        for kind, points in (("touchStart", [page.cell("brain", *pair, N["natural"])]), ("touchEnd", [])):
            page.browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        page.wait(f"document.querySelector('[data-show=image-1]').textContent === 'Column: natural-{pair[1]}'")
        assert told(page.shown()) == expected(study, "natural", 0, FIRST, pair)
    page.browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_choices_and_orders_change_what_is_shown(opened, study, root):
    page = opened(1280)
    page.choose("set", "things")
    page.wait("document.querySelector('[data-show=image-0]').textContent.includes('things')")
    data = read(root / "book", "things")
    for choice, value in (("model-0", "ReAlnet, sub-02"), ("model-1", "IT"), ("brain-2", "60 ms")):
        page.choose(choice, value)
    page.choose("brain-1", "mean RDM of 3")
    shown = page.shown()
    assert shown["brain-name"] == "THINGS EEG2, mean RDM of 3, 60 ms" and "in no table" in shown["table"]
    model = next(i for i, one in enumerate(data["models"]) if one["labels"] == ["ReAlnet, sub-02", "IT"])
    labels = ("THINGS EEG2", "mean", "60 ms", "")
    rho = spearmanr(models(study, "things")[model], brain(study, labels, "things")).statistic
    assert float(shown["rho"]) == pytest.approx(rho, abs=1e-6)
    components = {
        f"first principal component, {side}": np.argsort(explorer.first_component(rdm))
        for side, rdm in (("model", models(study, "things")[model]), ("brain", brain(study, labels, "things")))
    }
    for label, order in (components | {"dimension: red": np.argsort(patterns(10, 2)[::-1, 1])}).items():
        page.choose("order", label)
        page.mouse("mouseMoved", page.cell("model", 1, 8, N["things"]))
        assert told(page.shown()) == expected(study, "things", model, labels, (order[1], order[8]))
    assert "red: " in page.shown()["image-0"]


def test_the_page_works_from_disk_without_errors_or_requests_outside_and_names_what_it_shows(opened, root):
    page = opened(1280)
    inside = ((root / "book").as_uri(), "data:")
    assert page.look["errors"] == [] and [r for r in page.look["requests"] if not r.startswith(inside)] == []
    assert any(request.endswith("natural.js") for request in page.look["requests"])
    unnamed = page.ask("[...document.querySelectorAll('canvas, select, button, [role=img]')]"
                       ".filter(e => !e.ariaLabel && !(e.labels && e.labels.length)).length")  # fmt: skip
    assert unnamed == 0 and page.ask("document.querySelectorAll('[aria-live=polite]').length") == 2


def test_a_figure_with_its_description_stands_in_where_scripts_are_off(opened, study):
    page = opened(1280)
    page.browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.browser.call("Page.reload")
        page.wait("document.querySelector('noscript img') && document.querySelector('noscript img').complete")
        shown = page.ask("[document.images.length, document.images[0].naturalWidth, document.images[0].alt]")
    finally:
        page.browser.call("Emulation.setScriptExecutionDisabled", value=False)
    rho = spearmanr(models(study, "natural")[0], brain(study, FIRST, "natural")).statistic
    description = "Natural images: RDM of CORnet, V1 beside that of Shen 2019, sub-01, V1; Spearman's rho"
    assert shown[0] == 1 and shown[1] > 500 and shown[2] == f"{description} {rho:.3f}."
