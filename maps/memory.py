"""Figures and outlines kept between two requests: bounded in number and age, safe from several threads."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

FIGURES_SECONDS: Final = 600.0
PUBLIC_TABLE_SECONDS: Final = 10.0
_ALL: Final[list[Memory[object]]] = []


class Memory(Generic[T]):
    """The latest ``most`` things made, none of them older than ``seconds``.

    >>> kept = Memory[int](most=2)
    >>> kept.get("a", lambda: 1), kept.get("a", lambda: 2)
    (1, 1)
    """

    def __init__(self, most: int, seconds: float = float("inf")) -> None:
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()
        _ALL.append(cast("Memory[object]", self))

    def get(self, key: Hashable | None, make: Callable[[], T]) -> T:
        """What is kept under ``key``, made anew when absent or too old; a key of None is never kept."""
        if key is None:
            return make()
        now = time.monotonic()
        with self._lock:
            found = self._kept.get(key)
            if found is not None and now - found[0] <= self._seconds:
                self._kept.move_to_end(key)
                return found[1]
        made = make()
        with self._lock:
            self._kept[key] = (now, made)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


def forget() -> None:
    """Forget all figures and outlines kept by this process: after a load in the same process, and between tests."""
    for memory in _ALL:
        memory.clear()
