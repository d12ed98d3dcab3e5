"""Colours of classes: sequential ramps that stay apart for colour-blind eyes and on a grey map, light or dark.

Stops are taken from viridis (S. van der Walt, N. Smith, 2015; CC0) and from ColorBrewer's YlGnBu and PuOr
(C. Brewer, M. Harrower; Apache-2.0, www.ColorBrewer.org). The lightest stops are left out on the light map and the
darkest on the dark one, so that the lowest class still differs from the ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

Theme = Literal["light", "dark"]

GROUND: Final[dict[str, str]] = {"light": "#f3f3f1", "dark": "#1c1e21"}

_VIRIDIS: Final = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
_YLGNBU: Final = (
    "#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58",
)  # fmt: skip
_PUOR: Final = (
    "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2", "#8073ac", "#542788",
)  # fmt: skip


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0..255, of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _between(stops: Sequence[str], at: float) -> str:
    """Colour at ``at`` (0..1) on the ramp through ``stops``."""
    place = at * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    part = place - low
    pair = zip(rgb(stops[low]), rgb(stops[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pair)


def _spread(stops: Sequence[str], start: float, end: float, n: int) -> list[str]:
    if n == 1:
        return [_between(stops, (start + end) / 2)]
    return [_between(stops, start + (end - start) * i / (n - 1)) for i in range(n)]


def sequential(n: int, theme: Theme = "light") -> list[str]:
    """``n`` colours from low to high: darker is more on the light map, brighter is more on the dark one.

    >>> sequential(3)
    ['#b6e2b6', '#1d91c0', '#0f2366']
    """
    if theme == "dark":
        return _spread(_VIRIDIS, 0.18, 1.0, n)
    return _spread(_YLGNBU, 0.28, 0.97, n)


def diverging(below: int, above: int) -> list[str]:
    """``below`` orange and ``above`` purple colours, strongest at the ends: for figures round a meaningful middle."""
    return _spread(_PUOR, 0.05, 0.36, below)[:below] + _spread(_PUOR, 0.64, 0.95, above)[:above]
