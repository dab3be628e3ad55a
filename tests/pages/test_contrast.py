"""Text and glyphs can be read on every surface, in light and in dark (WCAG 2.2: 4.5 and 3)."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static/css/tokens.css").read_text()
_COLOUR = r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)"
ROLES = {
    name: [tuple(map(float, values[:3])), tuple(map(float, values[3:]))]
    for name, *values in re.findall(rf"--([\w-]+): light-dark\({_COLOUR}, {_COLOUR}\)", CSS.split("@media")[0])
}  # fmt: skip
SURFACES = ("surface", "surface-2", "surface-3")


def luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance of an OKLCH colour."""
    lightness, chroma, hue = colour[0] / 100, colour[1], math.radians(colour[2])
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    linear = [min(1.0, max(0.0, part)) for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "role", ["text", "text-2", "text-3", "ok", "warn", "bad", "unknown", "maintenance", "brand"]
)
def test_text_can_be_read(role, surface, scheme):
    assert contrast(ROLES[role][scheme], ROLES[surface][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_the_primary_button_can_be_read(scheme):
    assert contrast(ROLES["on-accent"][scheme], ROLES["brand"][scheme]) >= 4.5
    assert contrast(ROLES["on-accent"][scheme], ROLES["accent-strong"][scheme]) >= 4.5


def test_a_colour_is_black_on_white_as_it_should_be():
    assert round(contrast((100.0, 0.0, 0.0), (0.0, 0.0, 0.0))) == 21
