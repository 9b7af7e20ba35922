"""Drawings of ideas: whole SVG files, with words for those who do not see them, readable on light and dark pages."""

import re
from xml.etree import ElementTree

import pytest

from vaelib.classroom import drawings
from vaelib.outside import console

ALL = [
    drawings.vq_vae,
    drawings.two_stages,
    drawings.rate_and_distortion,
    drawings.bound_and_gap,
    drawings.recipes,
    drawings.two_gradients,
    drawings.course_map,
    drawings.masks,
    drawings.blind_spot,
    drawings.anatomy_of_a_check,
]
SVG = "{http://www.w3.org/2000/svg}"
each_drawing = pytest.mark.parametrize("draw", ALL, ids=lambda draw: draw.__name__)


def luminance(colour):
    """Of a colour such as #fff or #A84300 (WCAG 2.2, relative luminance)."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def colours(style):
    """Class, or text -> its fill, else its stroke; in light, and in dark."""
    light, dark = style.split("@media (prefers-color-scheme:dark){")
    found = []
    for part in (light, dark):
        rules = dict(found[0]) if found else {}
        for name, body in re.findall(r"\.?([a-z]+)\{([^}]*)\}", part):
            if (hit := re.search(r"fill:(#\w+)", body)) or (hit := re.search(r"stroke:(#\w+)", body)):
                rules[name] = hit[1]
        found.append(rules)
    return found


@each_drawing
def test_a_drawing_is_a_whole_file_with_words(draw, capsys):
    tree = ElementTree.fromstring(draw())
    assert tree.tag == f"{SVG}svg"
    said = tree.find(f"{SVG}title").text
    assert capsys.readouterr().out == f"Drawing: {said}\n"
    assert tree.get("aria-label") == said
    assert tree.get("role") == "img"
    assert len(said.split()) > 20
    assert "http" not in ElementTree.tostring(tree, encoding="unicode").replace("http://www.w3.org/2000/svg", "")
    _, _, width, height = map(float, tree.get("viewBox").split())
    for text in tree.iter(f"{SVG}text"):
        assert 0 < float(text.get("x")) < width
        assert 0 < float(text.get("y")) < height
    used = {name for each in tree.iter() for name in (each.get("class") or "").split()}
    rules = set(re.findall(r"\.([a-z]+)\{", tree.find(f"{SVG}style").text))
    assert used <= rules, used - rules  # a class without a rule is drawn black
    assert set(re.findall(r"url\(#(\w+)\)", draw())) == {each.get("id") for each in tree.iter(f"{SVG}marker")}


@each_drawing
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_its_words_and_arrows_can_be_read(draw, scheme):
    rules = colours(ElementTree.fromstring(draw()).find(f"{SVG}style").text)[scheme]
    for words, ground in (("text", "ground"), ("text", "box"), ("text", "gap"), ("road", "ground")):
        assert contrast(rules[words], rules[ground]) >= 4.5, (words, ground)  # WCAG 2.2, 1.4.3
    for line in ("flow", "flowhead", "back", "backhead"):
        assert contrast(rules[line], rules["ground"]) >= 3, line  # 1.4.11


def test_contrast_is_that_of_the_standard():
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@each_drawing
def test_in_a_notebook_it_is_shown_with_its_words(draw, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(console, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data) if raw else None)
    svg = draw()
    said = ElementTree.fromstring(svg).find(f"{SVG}title").text
    assert shown == [{"image/svg+xml": svg, "text/plain": f"Drawing: {said}"}]
    assert capsys.readouterr().out == ""
