"""The colours of the stylesheet have the contrast of WCAG AA, in both themes, on whatever they may stand."""

import re

import pytest

from penstock.web.rendering import STATIC

_PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
_PALETTE = {name: (light, dark) for name, light, dark in _PAIR.findall((STATIC / "penstock.css").read_text("utf-8"))}
_GROUNDS = ("page", "surface", "raised")
_STATES = ("good", "bad", "warn", "run", "wait", "idle")
_READ = [*((ink, ground) for ink in ("text", "dim", "accent", *_STATES) for ground in _GROUNDS),
         *((state, f"{state}-tint") for state in _STATES), ("accent-text", "accent")]
_SEEN = [*(("line-strong", ground) for ground in ("page", "surface")), *(("accent", ground) for ground in _GROUNDS)]
"""The borders of what can be typed into or pressed, and the ring of the focus."""


def _luminance(colour: str) -> float:
    parts = [int(colour[place:place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_what_the_guidelines_say():
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("least", "pairs"), [(4.5, _READ), (3.0, _SEEN)], ids=["text", "borders and focus"])
def test_each_colour_can_be_told_from_what_it_stands_on(theme: str, least: float, pairs: list[tuple[str, str]]):
    place = ("light", "dark").index(theme)
    faint = {f"{ink} on {ground}": round(found, 2) for ink, ground in pairs
             if (found := _contrast(_PALETTE[ink][place], _PALETTE[ground][place])) < least}
    assert faint == {}
