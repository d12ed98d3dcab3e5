"""The demo city's own `city.toml`: how its departments' files are to be read."""

from __future__ import annotations

from importlib.resources import files


def city_file(demo: str | None = None) -> str:
    """Text of the city file whose sources lie beside it; with `demo`, the text of a `[demo]` table to put on top.

    The committed `cities/demo.toml` is this text with a `[demo]` table, which says what to generate and where; the
    files are then looked for in that folder instead of beside the city file.
    """
    text = (files("demo") / "city.toml").read_text(encoding="utf-8")
    if demo is None:
        return text
    head, rest = text.split("[city]", 1)
    return f"{head}{demo.strip()}\n\n[city]{rest}"
