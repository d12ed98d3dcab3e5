"""Text that spreadsheets would take for a formula, made harmless and back.

A cell that begins with = + - @ (also in full width), a tab or a line end runs as a formula when a CSV, or a workbook
saved as one, is opened (OWASP, "CSV Injection"). An apostrophe in front makes it text everywhere.
"""

from __future__ import annotations

import re

import polars as pl

_STARTS = "=+\\-@\t\r\n＝＋－＠"
_RISKY = re.compile(rf"'*[{_STARTS}]")
_GUARDED = re.compile(rf"''*[{_STARTS}]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")


def neutralise(text: str) -> str:
    """``text`` that no spreadsheet runs. Plain numbers stay as they are.

    >>> neutralise('=HYPERLINK("http://x")'), neutralise("-5.2"), neutralise("+86-755-1"), neutralise("北京")
    ('\\'=HYPERLINK("http://x")', '-5.2', "'+86-755-1", '北京')
    """
    if _RISKY.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def restore(text: str) -> str:
    """The opposite of ``neutralise``, for a file that comes back.

    >>> [restore(neutralise(t)) for t in ("=1+1", "'=1", "-5.2", "O'Brien")]
    ['=1+1', "'=1", '-5.2', "O'Brien"]
    """
    return text[1:] if _GUARDED.match(text) and not _NUMBER.fullmatch(text) else text


def neutralise_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with every String column neutralised; for CSV exports."""
    texts = pl.col(pl.String)
    risky = texts.str.contains(rf"^'*[{_STARTS}]") & ~texts.str.contains(r"^[+-]?\d+([.,]\d+)*%?$")
    return frame.with_columns(pl.when(risky).then("'" + texts).otherwise(texts).name.keep())
