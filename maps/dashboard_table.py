"""A dashboard as one long table: block, figure, value, compared value, change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maps.catalogue import indicator_layers
from maps.exports import Cell, Table, basis_note, in_language, word

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[Cell, ...]


def dashboard_table(board: dict[str, Any], lang: str = "zh-CN") -> Table:
    """All blocks of a dashboard (as ``dashboard`` returns it) in rows, in the language of the reader."""
    unit = board["unit"]
    chinese = lang.startswith("zh")
    name = (unit["name"] if chinese else unit["name_en"] or unit["name"]) or unit["code"]
    parent = unit["parent"]
    above = (
        "" if parent is None else (parent["name"] if chinese else parent["name_en"] or parent["name"]) or ""
    )
    headings = tuple(
        word(key, lang) for key in ("block", "figure", "unit", "value", "withheld", "parent", "change")
    )
    about = (
        (word("name", lang), name),
        (word("code", lang), unit["code"]),
        (word("parent", lang), above),
        (word("as_of", lang), board["as_of"]),
        *basis_note(board["basis"], lang),
        (word("exactness", lang), word(board["exactness"], lang)),
        *(
            (
                in_language(d["title"], lang),
                f"{in_language(d['definition'], lang)} ({in_language(d['source'], lang)})",
            )
            for d in board["definitions"].values()
        ),
    )
    return Table(name, headings, list(_rows(board, lang)), about)


def _rows(board: dict[str, Any], lang: str) -> Iterator[Row]:
    for block in ("key_figures", "comparison"):
        for f in board[block]:
            yield (
                word(block, lang), in_language(f["title"], lang), in_language(f["unit"], lang), f["value"],
                f["withheld"], f["parent_value"], f.get("change_month"),
            )  # fmt: skip
    for block in ("registration", "tenure", "household_size", "industries"):
        yield from _parts(word(block, lang), board[block], lang)
    for parts in (board["crowding"] or {}).values():
        yield from _parts(word("crowding", lang), parts, lang)
    yield from _pyramid(board, lang)
    for f in board["areal"] or []:
        yield (word("areal", lang), in_language(f["title"], lang), None, f["value"], False, None, None)
        if f["moe"] is not None:
            told = f"{in_language(f['title'], lang)} ± {word('moe', lang)}"
            yield (word("areal", lang), told, None, f["moe"], False, None, None)
    yield from _series(board, lang)


def _parts(block: str, parts: list[dict[str, Any]] | None, lang: str) -> Iterator[Row]:
    for part in parts or []:
        yield (block, in_language(part["title"], lang), None, part["value"], part["withheld"], None, None)


def _pyramid(board: dict[str, Any], lang: str) -> Iterator[Row]:
    pyramid = board["pyramid"]
    if pyramid is None:
        return
    for sex in ("male", "female"):
        for band, value in zip(pyramid["bands"], pyramid[sex], strict=True):
            yield (word("pyramid", lang), f"{word(sex, lang)} {band}", None, value, value is None, None, None)


def _series(board: dict[str, Any], lang: str) -> Iterator[Row]:
    series = board["series"]
    if series is None:
        return
    layers = indicator_layers()
    for name, values in series.items():
        if name == "months":
            continue
        title = in_language(layers[name].title, lang) if name in layers else word(name, lang)
        for month, value in zip(series["months"], values, strict=True):
            yield (word("series", lang), f"{title} {month}", None, value, value is None, None, None)
