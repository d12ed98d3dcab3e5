"""Colours stay apart from each other and from the ground, also for colour-blind eyes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from maps.palettes import GROUND, diverging, rgb, sequential

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes (2009), severity 1.0, on linear RGB
SEEN_BY = {
    "all": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> np.ndarray:
    part = np.array(rgb(colour)) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def over(colour: str, ground: str, opacity: float) -> str:
    """As a browser blends: in the colours' own numbers."""
    pairs = zip(rgb(colour), rgb(ground), strict=True)
    return "#" + "".join(f"{round(opacity * a + (1 - opacity) * b):02x}" for a, b in pairs)


def oklab(light: np.ndarray) -> np.ndarray:
    """B. Ottosson (2020)."""
    long = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]])
    mixed = np.array([[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]])
    return mixed @ np.cbrt(np.clip(long @ light, 0, None))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(oklab(one) - oklab(other)))


@pytest.mark.parametrize("eyes", SEEN_BY)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("n", [2, 5, 7])
@pytest.mark.parametrize("opacity", [1.0, 0.78])
def test_classes_stay_apart(eyes, theme, n, opacity):
    ground = linear(GROUND[theme])
    seen = [SEEN_BY[eyes] @ linear(over(c, GROUND[theme], opacity)) for c in sequential(n, theme)]
    least = 0.05 if n <= 5 else 0.03
    assert min(apart(a, b) for a, b in pairwise(seen)) > least
    assert apart(seen[0], SEEN_BY[eyes] @ ground) > 0.05


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lightness_runs_one_way(theme):
    lightness = [oklab(linear(c))[0] for c in sequential(7, theme)]
    assert lightness == sorted(lightness, reverse=theme == "light")


def test_diverging_ends_differ():
    colours = diverging(3, 3)
    assert len(colours) == 6
    for eyes in ("protanopia", "deuteranopia"):
        assert apart(SEEN_BY[eyes] @ linear(colours[0]), SEEN_BY[eyes] @ linear(colours[-1])) > 0.1
