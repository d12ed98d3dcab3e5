"""A secret in a file of its own: written once, whole or not at all, readable by its owner only."""

from __future__ import annotations

import os
from pathlib import Path


def write_once(path: Path, content: str) -> None:
    """Write ``content`` into ``path`` unless there is a file already; of two at once, the first one's counts.

    Synced before it gets its name, so that what was sealed with a key never outlives the key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        part.unlink()
