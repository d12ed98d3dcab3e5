"""Work one step ahead: the next piece is made in another thread while this one is on its way to the database.

What is made ahead must not touch the connection, which belongs to the thread that asked for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_A = TypeVar("_A")
_B = TypeVar("_B")


def ahead(pieces: Iterable[_A]) -> Iterator[_A]:
    """``pieces`` in order, each taken from its iterator in another thread while the one before is in use.

    >>> list(ahead(range(3)))
    [0, 1, 2]
    """
    iterator, end = iter(pieces), object()

    def following() -> object:
        return next(iterator, end)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as pool:
        coming: Future[object] = pool.submit(following)
        while (piece := coming.result()) is not end:
            coming = pool.submit(following)
            yield piece  # type: ignore[misc]


def map_ahead(work: Callable[[_A], _B], pieces: Iterable[_A]) -> Iterator[_B]:
    """``work`` of each of ``pieces`` in order; the pieces are taken in this thread, the work is done in another.

    >>> list(map_ahead(str, [1, 2]))
    ['1', '2']
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as pool:
        coming: Future[_B] | None = None
        for piece in pieces:
            following = pool.submit(work, piece)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
