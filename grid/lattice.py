"""The hexagon lattice of one H3 resolution on one icosahedron face, and the kernel that finds a point's place in it.

On one face H3 is a regular hexagon lattice in the gnomonic projection about the face's centre: a cell is centred on
that centre, rows of cells point at the face's corners (turned by asin(sqrt(3/28)) at odd resolutions), and the spacing
shrinks by sqrt(7) a resolution. The face's corners are the centres of the twelve pentagons, which the h3 library
gives, so nothing here is fitted or copied.

Source: https://h3geo.org/docs/core-library/overview (Apache-2.0).
"""

# Compiled functions take plain arrays and many of them, and carry no types of their own.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# ruff: noqa: PLR0917

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import h3.api.basic_int as h3_int
import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

EDGE = 1e-6
"""A point nearer than this to a cell's edge (in cell diameters) is decided by the h3 library."""

_SPACING_R0 = (
    0.3819660112501051  # distance of neighbouring r0 centres on the plane that touches the unit sphere
)
_CLASS_III_TURN = float(np.arcsin(np.sqrt(3.0 / 28.0)))
_FACE_MARGIN = 1e-4
_NEAR_CENTRE = 1e-4
_BLOCK = 1024
_S3, _S5, _S7, _S9 = -1 / 6, 1 / 120, -1 / 5040, 1 / 362880
_C2, _C4, _C6, _C8 = -1 / 2, 1 / 24, -1 / 720, 1 / 40320


@lru_cache(maxsize=1)
def faces() -> tuple[Floats, Floats]:
    """Unit vectors of the 20 face centres and of one corner of each face, both of shape (20, 3)."""
    corners = to_sphere(*np.array([h3_int.cell_to_latlng(c)[::-1] for c in h3_int.get_pentagons(0)]).T)
    near = corners @ corners.T > 0.4
    triples = [
        t for t in combinations(range(12), 3) if near[t[0], t[1]] and near[t[1], t[2]] and near[t[0], t[2]]
    ]
    sums = np.array([corners[list(t)].sum(axis=0) for t in triples])
    return sums / np.linalg.norm(sums, axis=1, keepdims=True), corners[[t[0] for t in triples]]


def to_sphere(lng: Floats, lat: Floats) -> Floats:
    """Unit vectors (n, 3) of degrees."""
    phi, lam = np.deg2rad(lat), np.deg2rad(lng)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def only_face(bounds: tuple[float, float, float, float]) -> int | None:
    """Number of the icosahedron face that holds the whole rectangle with a margin of 600 m, or None."""
    west, south, east, north = bounds
    along = np.linspace(0.0, 1.0, 65)
    lng, lat = west + along * (east - west), south + along * (north - south)
    ring_lng = np.concatenate([lng, lng, np.full(65, west), np.full(65, east)])
    ring_lat = np.concatenate([np.full(65, south), np.full(65, north), lat, lat])
    nearness = np.sort(to_sphere(ring_lng, ring_lat) @ faces()[0].T, axis=1)
    owner = np.argmax(to_sphere(ring_lng, ring_lat) @ faces()[0].T, axis=1)
    if (owner != owner[0]).any() or float((nearness[:, -1] - nearness[:, -2]).min()) < _FACE_MARGIN:
        return None
    return int(owner[0])


@dataclass(frozen=True)
class Lattice:
    """Axial coordinates (q, r) of one resolution on one face.

    With p a point on the unit sphere, ``q = (p @ to_q) / (p @ centre)`` and likewise r; whole numbers are cell centres.
    """

    centre: Floats
    to_q: Floats
    to_r: Floats
    step_q: Floats
    step_r: Floats

    @classmethod
    def on_face(cls, face: int, resolution: int) -> Lattice:
        """The lattice of `resolution` on face number `face` of `faces`."""
        centre, corner = faces()[0][face], faces()[1][face]
        u = corner - (corner @ centre) * centre
        u /= np.linalg.norm(u)
        v = np.cross(centre, u)
        turn = _CLASS_III_TURN if resolution % 2 else 0.0
        spacing = _SPACING_R0 / np.sqrt(7.0) ** resolution
        step_q = spacing * (np.cos(turn) * u + np.sin(turn) * v)
        step_r = spacing * (np.cos(turn + np.pi / 3) * u + np.sin(turn + np.pi / 3) * v)
        gram = np.array([[step_q @ step_q, step_q @ step_r], [step_q @ step_r, step_r @ step_r]])
        dual = np.linalg.inv(gram) @ np.vstack([step_q, step_r])
        return cls(centre, dual[0], dual[1], step_q, step_r)

    def axial(self, lng: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Fractional (q, r) of points in degrees."""
        p = to_sphere(lng, lat)
        return (p @ self.to_q) / (p @ self.centre), (p @ self.to_r) / (p @ self.centre)

    def degrees(self, q: Floats, r: Floats) -> tuple[Floats, Floats]:
        """(lng, lat) of axial coordinates."""
        p = self.centre + np.outer(q, self.step_q) + np.outer(r, self.step_r)
        return np.rad2deg(np.arctan2(p[:, 1], p[:, 0])), np.rad2deg(
            np.arctan2(p[:, 2], np.hypot(p[:, 0], p[:, 1]))
        )

    def kernel_terms(self, lng0: float, lat0: float) -> Floats:
        """The nine coefficients of q, r and the denominator, for longitudes counted from lng0; and lng0, lat0."""
        lam, phi = np.deg2rad(lng0), np.deg2rad(lat0)
        turn = np.array([[np.cos(lam), np.sin(lam), 0], [-np.sin(lam), np.cos(lam), 0], [0, 0, 1.0]])
        rows = [turn @ self.to_q, turn @ self.to_r, turn @ self.centre]
        return np.concatenate([*rows, [lng0, lat0, np.cos(phi), np.sin(phi)]])

    def is_sound_for(self, bounds: tuple[float, float, float, float]) -> bool:
        """Whether the rectangle stays clear of the face's very centre, where the library itself rounds coarsely."""
        west, south, east, north = bounds
        lng, lat = self.degrees(np.zeros(1), np.zeros(1))
        pad = np.rad2deg(_NEAR_CENTRE)
        across = pad / max(0.01, float(np.cos(np.deg2rad(lat[0]))))
        return not (west - across <= lng[0] <= east + across and south - pad <= lat[0] <= north + pad)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def look_up(lng, lat, bounds, terms, q0, r0, nq, table, out, undecided):
    """Fills `out` with the cells of points in degrees; returns how many indices it wrote to `undecided`.

    Undecided are points outside the bounds, not numbers, or nearer than EDGE to a cell's edge. Sines and cosines are
    Taylor sums about the middle of the bounds: below 0.1 radians the remainder is under 3e-17.
    """
    west, south, east, north = bounds[0], bounds[1], bounds[2], bounds[3]
    qx, qy, qz, rx, ry, rz = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
    cx, cy, cz, lng0, lat0, cos0, sin0 = (
        terms[6],
        terms[7],
        terms[8],
        terms[9],
        terms[10],
        terms[11],
        terms[12],
    )
    radian = np.pi / 180.0
    q_first, r_first = np.float64(q0), np.float64(r0)
    slot = np.empty(_BLOCK, np.int32)
    n, count = lng.size, 0
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
        for k in range(size):
            x, y = lng[start + k], lat[start + k]
            a, b = (x - lng0) * radian, (y - lat0) * radian
            a2, b2 = a * a, b * b
            sin_a = a * (1.0 + a2 * (_S3 + a2 * (_S5 + a2 * (_S7 + a2 * _S9))))
            cos_a = 1.0 + a2 * (_C2 + a2 * (_C4 + a2 * (_C6 + a2 * _C8)))
            sin_b = b * (1.0 + b2 * (_S3 + b2 * (_S5 + b2 * (_S7 + b2 * _S9))))
            cos_b = 1.0 + b2 * (_C2 + b2 * (_C4 + b2 * (_C6 + b2 * _C8)))
            cos_lat = cos0 * cos_b - sin0 * sin_b
            pz = sin0 * cos_b + cos0 * sin_b
            px, py = cos_lat * cos_a, cos_lat * sin_a
            under = 1.0 / (cx * px + cy * py + cz * pz)
            q = (qx * px + qy * py + qz * pz) * under
            r = (rx * px + ry * py + rz * pz) * under
            iq, ir, it = np.floor(q + 0.5), np.floor(r + 0.5), np.floor(0.5 - q - r)
            dq, dr, dt = abs(iq - q), abs(ir - r), abs(it + q + r)
            fix_q = (dq > dr) & (dq > dt)
            fix_r = (dr > dt) & (dr >= dq)
            iq = -ir - it if fix_q else iq
            ir = -iq - it if fix_r else ir
            eq, er = q - iq, r - ir
            reach = max(abs(eq - er), abs(eq + 2.0 * er), abs(er + 2.0 * eq))
            inside = (x >= west) & (x <= east) & (y >= south) & (y <= north) & (reach < 1.0 - 2.0 * EDGE)
            at = (ir - r_first) * nq + (iq - q_first)
            slot[k] = np.int32(at if inside else -1.0)
        for k in range(size):
            at = slot[k]
            if at < 0:
                undecided[count] = start + k
                count += 1
            else:
                out[start + k] = table[at]
    return count
