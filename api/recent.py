"""What this process saw lately: a hint that saves a question to the database, never a permission."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any


class Recent:
    """A bounded memory of keys seen lately; safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[object, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object) -> Any:
        """What was put under ``key``, None when absent or too old."""
        with self._lock:
            until, value = self._kept.get(key, (0.0, None))
        return value if until > time.monotonic() else None

    def put(self, key: object, value: Any, seconds: float) -> None:
        """Keep ``value`` for some seconds."""
        with self._lock:
            self._kept[key] = (time.monotonic() + seconds, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
