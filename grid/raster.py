"""Kernels behind `grid.join`: lay polygon edges on a fine raster of degrees, and look points up in it.

The raster's rows and columns are straight in the same plane as the edges, so which edges a raster cell meets, and who
owns a cell that no edge meets, is found by scanning rows; no projection and no face is involved.
"""

# Compiled functions take plain arrays and many of them, and carry no types of their own.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# ruff: noqa: PLR0917, PLR0912

from __future__ import annotations

import numpy as np
from numba import njit

from grid.orient import side

SLACK = 1e-6
"""Edges count as meeting a raster cell from this far outside it already (in cell widths), so rounding cannot matter."""

MASK_BITS = 64


@njit(cache=True)
def _columns(edge, row, frame):
    """First and last column that an edge meets within one raster row."""
    x0, y0, inv_x, inv_y, n_x = frame[0], frame[1], frame[2], frame[3], int(frame[4])
    ua, va = (edge[0] - x0) * inv_x, (edge[1] - y0) * inv_y
    ub, vb = (edge[2] - x0) * inv_x, (edge[3] - y0) * inv_y
    if va > vb:
        ua, va, ub, vb = ub, vb, ua, va
    low, high = max(va, row - SLACK), min(vb, row + 1.0 + SLACK)
    if vb - va > 1e-9:
        u1 = ua + (low - va) / (vb - va) * (ub - ua)
        u2 = ua + (high - va) / (vb - va) * (ub - ua)
    else:
        u1, u2 = ua, ub
    first = int(np.floor(min(u1, u2) - SLACK))
    last = int(np.floor(max(u1, u2) + SLACK))
    return max(0, min(n_x - 1, first)), max(0, min(n_x - 1, last))


@njit(cache=True)
def _rows(edge, frame):
    va, vb = (edge[1] - frame[1]) * frame[3], (edge[3] - frame[1]) * frame[3]
    n_y = int(frame[5])
    first, last = int(np.floor(min(va, vb) - SLACK)), int(np.floor(max(va, vb) + SLACK))
    return max(0, min(n_y - 1, first)), max(0, min(n_y - 1, last))


@njit(cache=True)
def edges_by_cell(edges, frame):
    """Border cells: number of each raster cell among them (-1 for none), and their edges as offsets and list."""
    n_x, n_y = int(frame[4]), int(frame[5])
    number = np.full(n_x * n_y, -1, np.int32)
    held = np.zeros(n_x * n_y, np.int32)
    for e in range(edges.shape[0]):
        top, bottom = _rows(edges[e], frame)
        for j in range(top, bottom + 1):
            first, last = _columns(edges[e], j, frame)
            for i in range(first, last + 1):
                held[j * n_x + i] += 1
    count = 0
    for k in range(n_x * n_y):
        if held[k]:
            number[k] = count
            count += 1
    start = np.zeros(count + 1, np.int64)
    for k in range(n_x * n_y):
        if held[k]:
            start[number[k] + 1] = held[k]
    for b in range(count):
        start[b + 1] += start[b]
    cursor = start[:-1].copy()
    listed = np.empty(start[count], np.int32)
    for e in range(edges.shape[0]):
        top, bottom = _rows(edges[e], frame)
        for j in range(top, bottom + 1):
            first, last = _columns(edges[e], j, frame)
            for i in range(first, last + 1):
                b = number[j * n_x + i]
                listed[cursor[b]] = e
                cursor[b] += 1
    return number, start, listed


@njit(cache=True)
def crossings_by_row(edges, row_y, frame):
    """Edges that cross each row's reference line, with the column of the crossing, in order of columns."""
    n_x = int(frame[4])
    n_y = row_y.size
    start = np.zeros(n_y + 1, np.int64)
    for fill in range(2):
        if fill:
            for j in range(n_y):
                start[j + 1] += start[j]
            cursor = start[:-1].copy()
            which = np.empty(start[n_y], np.int32)
            column = np.empty(start[n_y], np.int32)
        for e in range(edges.shape[0]):
            ay, by = edges[e, 1], edges[e, 3]
            low, high = min(ay, by), max(ay, by)
            top, bottom = _rows(edges[e], frame)
            for j in range(top, bottom + 1):
                y = row_y[j]
                if low < y < high:
                    if not fill:
                        start[j + 1] += 1
                        continue
                    x = edges[e, 0] + (y - ay) / (by - ay) * (edges[e, 2] - edges[e, 0])
                    which[cursor[j]] = e
                    column[cursor[j]] = max(0, min(n_x - 1, int(np.floor((x - frame[0]) * frame[2]))))
                    cursor[j] += 1
    for j in range(n_y):
        order = np.argsort(column[start[j] : start[j + 1]])
        which[start[j] : start[j + 1]] = which[start[j] : start[j + 1]][order]
        column[start[j] : start[j + 1]] = column[start[j] : start[j + 1]][order]
    return start, which, column


@njit(cache=True)
def _toggle(active, count, ranks):
    for rank in ranks:
        at = -1
        for k in range(count):
            if active[k] == rank:
                at = k
        if at < 0:
            active[count] = rank
            count += 1
        else:
            count -= 1
            active[at] = active[count]
    return count


@njit(cache=True)
def _reference_x(left, width, y, edges, crossing):
    """A place on the row's reference line inside the cell that lies on none of the edges crossing there."""
    share = 0.5
    while True:
        x = left + share * width
        clear = True
        for e in crossing:
            if side(edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3], x, y) == 0:
                clear = False
        if clear:
            return x
        share = 0.25 + 0.5 * ((share * 7.0 + 0.137) % 1.0)


@njit(cache=True)
def owners(edges, edge_start, edge_ranks, number, crossing, row_y, frame, n_areas):
    """Scans the rows: the owner of each free cell, and for border cells the reference point and who holds it.

    Returns table (rank, -1 for nobody, -2 - number for border cells), reference x, offsets and ranks of the holders.
    """
    x0, inv_x, n_x = frame[0], frame[2], int(frame[4])
    row_start, which, column = crossing
    n_border = 0
    for k in range(number.size):
        n_border = max(n_border, number[k] + 1)
    table = np.empty(number.size, np.int32)
    ref_x = np.empty(n_border)
    held_start = np.zeros(n_border + 1, np.int64)
    held = np.empty(n_border * 2 + 16, np.int32)
    active = np.empty(n_areas + 1, np.int32)
    for j in range(row_y.size):
        event, stop, count, owner = row_start[j], row_start[j + 1], 0, -1
        for i in range(n_x):
            b = number[j * n_x + i]
            if b < 0:
                table[j * n_x + i] = owner
                continue
            table[j * n_x + i] = -2 - b
            last = event
            while last < stop and column[last] == i:
                last += 1
            x = _reference_x(x0 + i / inv_x, 1.0 / inv_x, row_y[j], edges, which[event:last])
            ref_x[b] = x
            late = np.zeros(last - event, np.bool_)
            for k in range(event, last):
                e = which[k]
                # The edge runs upwards or downwards; the reference lies right of it when it is on its right-hand side.
                up = edges[e, 3] > edges[e, 1]
                seen = side(edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3], x, row_y[j])
                late[k - event] = (seen > 0) == up
                if not late[k - event]:
                    count = _toggle(active, count, edge_ranks[edge_start[e] : edge_start[e + 1]])
            if held_start[b] + count > held.size:
                wider = np.empty(held.size * 2 + count, np.int32)
                wider[: held.size] = held
                held = wider
            for k in range(count):
                held[held_start[b] + k] = active[k]
            held_start[b + 1] = held_start[b] + count
            for k in range(event, last):
                if late[k - event]:
                    e = which[k]
                    count = _toggle(active, count, edge_ranks[edge_start[e] : edge_start[e + 1]])
            event = last
            owner = -1
            for k in range(count):
                if owner < 0 or active[k] < owner:
                    owner = active[k]
    return table, ref_x, held_start, held[: held_start[n_border]]


@njit(cache=True)
def _candidates(b, held_start, held, cell_start, listed, edge_start, edge_ranks, room):
    """Ranks that a border cell's points may belong to, ascending and unique, in `room`; returns room and count."""
    most = held_start[b + 1] - held_start[b]
    for k in range(cell_start[b], cell_start[b + 1]):
        most += edge_start[listed[k] + 1] - edge_start[listed[k]]
    if most > room.size:
        room = np.empty(most * 2, np.int32)
    n = 0
    for k in range(held_start[b], held_start[b + 1]):
        room[n] = held[k]
        n += 1
    for k in range(cell_start[b], cell_start[b + 1]):
        for m in range(edge_start[listed[k]], edge_start[listed[k] + 1]):
            room[n] = edge_ranks[m]
            n += 1
    room[:n] = np.sort(room[:n])
    count = 0
    for k in range(n):
        if count == 0 or room[k] != room[count - 1]:
            room[count] = room[k]
            count += 1
    return room, count


@njit(cache=True)
def records(edges, edge_start, edge_ranks, cells, refs, n_x, row_y):
    """Border cells as records of at most 64 candidates each (a crowded cell takes several, one after the other).

    Returns first record by border cell, more-follows flags, reference points, mask of holders, offsets into
    candidates, candidate ranks, offsets into local edges, local edges, and the mask of candidates each edge bounds.
    """
    border_cell, cell_start, listed = cells
    ref_x, held_start, held = refs
    n_border = border_cell.size
    room = np.empty(256, np.int32)
    n_rec, n_cand, n_edge = 0, 0, 0
    for b in range(n_border):
        room, count = _candidates(b, held_start, held, cell_start, listed, edge_start, edge_ranks, room)
        chunks = max(1, (count + MASK_BITS - 1) // MASK_BITS)
        n_rec += chunks
        n_cand += count
        n_edge += chunks * (cell_start[b + 1] - cell_start[b])
    first = np.empty(n_border, np.int32)
    more = np.zeros(n_rec, np.bool_)
    ref = np.empty((n_rec, 2))
    holders = np.zeros(n_rec, np.uint64)
    cand_start = np.zeros(n_rec + 1, np.int64)
    cand = np.empty(n_cand, np.int32)
    local_start = np.zeros(n_rec + 1, np.int64)
    local = np.empty((n_edge, 4))
    bounds_of = np.empty(n_edge, np.uint64)
    r, put = 0, 0
    for b in range(n_border):
        room, count = _candidates(b, held_start, held, cell_start, listed, edge_start, edge_ranks, room)
        first[b] = r
        chunks = max(1, (count + MASK_BITS - 1) // MASK_BITS)
        x, y = ref_x[b], row_y[border_cell[b] // n_x]
        for chunk in range(chunks):
            low, high = chunk * MASK_BITS, min(count, (chunk + 1) * MASK_BITS)
            own = room[low:high]
            ref[r, 0], ref[r, 1] = x, y
            more[r] = chunk < chunks - 1
            cand[cand_start[r] : cand_start[r] + own.size] = own
            cand_start[r + 1] = cand_start[r] + own.size
            for k in range(held_start[b], held_start[b + 1]):
                if own.size and own[0] <= held[k] <= own[-1]:
                    holders[r] |= np.uint64(1) << np.uint64(np.searchsorted(own, held[k]))
            for k in range(cell_start[b], cell_start[b + 1]):
                e = listed[k]
                mask = np.uint64(0)
                for m in range(edge_start[e], edge_start[e + 1]):
                    if own.size and own[0] <= edge_ranks[m] <= own[-1]:
                        mask ^= np.uint64(1) << np.uint64(np.searchsorted(own, edge_ranks[m]))
                if mask:
                    ax, ay, bx, by = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
                    if side(ax, ay, bx, by, x, y) < 0:
                        ax, ay, bx, by = bx, by, ax, ay
                    local[put, 0], local[put, 1], local[put, 2], local[put, 3] = ax, ay, bx, by
                    bounds_of[put] = mask
                    put += 1
            local_start[r + 1] = put
            r += 1
    return (
        first,
        more,
        ref,
        holders,
        cand_start,
        cand,
        local_start,
        local[:put].copy(),
        bounds_of[:put].copy(),
    )


@njit(cache=True, inline="always")
def _covering(x, y, r, ref, holders, local_start, local, bounds_of):
    """Mask of a record's candidates that hold the point or have it on their border.

    Walks from the reference point to the point and flips an area at each of its edges in between. Every local edge
    has the reference on its left, so an edge lies in between when the point is right of it and its ends are on two
    sides of the walk; ends exactly on the walk count as right of it, the same for both edges that meet there.
    """
    inside, touched = holders[r], np.uint64(0)
    cx, cy = ref[r, 0], ref[r, 1]
    for k in range(local_start[r], local_start[r + 1]):
        ax, ay, bx, by = local[k, 0], local[k, 1], local[k, 2], local[k, 3]
        seen = side(ax, ay, bx, by, x, y)
        if seen > 0:
            continue
        if seen == 0:
            if min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
                touched |= bounds_of[k]
            continue
        if (side(cx, cy, x, y, ax, ay) > 0) != (side(cx, cy, x, y, bx, by) > 0):
            inside ^= bounds_of[k]
    return inside | touched


@njit(cache=True, nogil=True)
def locate(
    lng, lat, frame, table, first, more, ref, holders, cand_start, cand, local_start, local, bounds_of, out
):
    """Writes the rank of the area of each point to `out`, -1 where there is none."""
    x0, y0, inv_x, inv_y = frame[0], frame[1], frame[2], frame[3]
    n_x, n_y = int(frame[4]), int(frame[5])
    for p in range(lng.size):
        x, y = lng[p], lat[p]
        u, v = (x - x0) * inv_x, (y - y0) * inv_y
        out[p] = -1
        if not (0.0 <= u < n_x and 0.0 <= v < n_y):
            continue
        found = table[int(v) * n_x + int(u)]
        if found >= -1:
            out[p] = found
            continue
        r = first[-2 - found]
        while True:
            mask = _covering(x, y, r, ref, holders, local_start, local, bounds_of)
            if mask:
                lowest = 0
                while not (mask >> np.uint64(lowest)) & np.uint64(1):
                    lowest += 1
                out[p] = cand[cand_start[r] + lowest]
                break
            if not more[r]:
                break
            r += 1
