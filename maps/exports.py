"""Figures to take away: tables as CSV and Excel, layers as GeoJSON, GeoPackage and GeoParquet.

Text that a spreadsheet would run as a formula is disarmed in CSV, and written as text in Excel.
Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xlsxwriter

from maps import cells
from maps.errors import ExportFormatError
from maps.frames import found_values, layer_frame

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from maps.figures import Geography
    from maps.moment import Basis
    from maps.viewer import Viewer

Cell = str | int | float | bool | None

MEDIA: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "geojson": "application/geo+json",
    "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet",
}
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_SHEET_NAME: Final = 31
_WORDS: Final[dict[str, dict[str, str]]] = {
    "cell": {"zh": "单元", "en": "Cell"},
    "grid": {"zh": "网格编号", "en": "Grid"},
    "area": {"zh": "区域编号", "en": "Area"},
    "code": {"zh": "代码", "en": "Code"},
    "name": {"zh": "名称", "en": "Name"},
    "name_en": {"zh": "英文名称", "en": "English name"},
    "withheld": {"zh": "不予公布", "en": "Withheld"},
    "moe": {"zh": "误差范围", "en": "Margin of error"},
    "as_of": {"zh": "日期", "en": "Date"},
    "basis": {"zh": "口径日期", "en": "Day"},
    "month": {"zh": "月末数：所选日期之前最近的月末", "en": "month end: the last one up to the chosen day"},
    "layer": {"zh": "图层", "en": "Layer"},
    "unit": {"zh": "单位", "en": "Unit"},
    "definition": {"zh": "统计口径", "en": "Definition"},
    "source": {"zh": "来源", "en": "Source"},
    "exactness": {"zh": "精确程度", "en": "Exactness"},
    "duty": {"zh": "精确（履职范围）", "en": "exact, duty"},
    "threshold": {"zh": "已发布（小于13不予公布）", "en": "published, below 13 withheld"},
    "public": {"zh": "公开", "en": "public"},
    "about": {"zh": "说明", "en": "About"},
    "block": {"zh": "类别", "en": "Block"},
    "figure": {"zh": "指标", "en": "Figure"},
    "value": {"zh": "数值", "en": "Value"},
    "parent": {"zh": "上级", "en": "Parent area"},
    "change": {"zh": "较上月末", "en": "Since last month"},
    "key_figures": {"zh": "主要指标", "en": "Key figures"},
    "registration": {"zh": "登记类型", "en": "Registration"},
    "pyramid": {"zh": "年龄结构", "en": "Age and sex"},
    "tenure": {"zh": "住房来源", "en": "Tenure"},
    "household_size": {"zh": "家庭户规模", "en": "Household size"},
    "crowding": {"zh": "居住密度", "en": "Crowding"},
    "industries": {"zh": "行业岗位", "en": "Jobs by industry"},
    "comparison": {"zh": "与上级比较", "en": "Comparison"},
    "series": {"zh": "逐月变化", "en": "Change over time"},
    "areal": {"zh": "公开统计表", "en": "Published tables"},
    "moved_in": {"zh": "迁入", "en": "Moved in"},
    "moved_out": {"zh": "迁出", "en": "Moved out"},
    "male": {"zh": "男", "en": "Male"},
    "female": {"zh": "女", "en": "Female"},
}


def word(key: str, lang: str) -> str:
    """A heading in the language of the reader."""
    return _WORDS[key]["zh" if lang.startswith("zh") else "en"]


def in_language(words: dict[str, str], lang: str) -> str:
    """Words of the catalogue in the language of the reader."""
    return words["zh" if lang.startswith("zh") else "en"]


def disarmed(value: Cell) -> Cell:
    """Text that a spreadsheet would run gets an apostrophe in front; everything else stays.

    >>> disarmed("=1+1"), disarmed("张三"), disarmed(-5)
    ("'=1+1", '张三', -5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_DANGEROUS) else value


@dataclass(frozen=True)
class Table:
    """Rows under headings; ``about``: what it is, as pairs of heading and text."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    about: tuple[tuple[str, str], ...] = ()
    basis: Basis = "day"

    def csv(self) -> bytes:
        """UTF-8 with a byte-order mark, so that Excel shows Chinese; formulas disarmed."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow([disarmed(h) for h in self.headings])
        writer.writerows([["" if v is None else disarmed(v) for v in row] for row in self.rows])
        return b"\xef\xbb\xbf" + out.getvalue().encode()

    def xlsx(self, lang: str = "zh-CN") -> bytes:
        """Excel workbook: the table, and a sheet that says what it is. No cell is a formula."""
        out = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(out, options) as book:
            bold = book.add_format({"bold": True, "bottom": 1})
            sheet = book.add_worksheet(_sheet_name(self.title))
            sheet.freeze_panes(1, 0)
            for column, heading in enumerate(self.headings):
                sheet.write_string(0, column, heading, bold)
                sheet.set_column(column, column, max(10, min(40, 2 * len(heading))))
            for line, row in enumerate(self.rows, start=1):
                for column, value in enumerate(row):
                    _write(sheet, line, column, value)
            about = book.add_worksheet(_sheet_name(word("about", lang)))
            about.set_column(0, 0, 14)
            about.set_column(1, 1, 90)
            for line, (heading, told) in enumerate(self.about):
                about.write_string(line, 0, heading, bold)
                about.write_string(line, 1, told)
        return out.getvalue()

    def json(self) -> dict[str, Any]:
        """Headings, rows and what it is."""
        return {
            "title": self.title,
            "headings": list(self.headings),
            "basis": self.basis,
            "rows": [list(row) for row in self.rows],
            "about": [{"heading": h, "text": t} for h, t in self.about],
        }


def _sheet_name(title: str) -> str:
    return "".join("-" if c in "[]:*?/\\'" else c for c in title)[:_SHEET_NAME] or "1"


def _write(sheet: Any, line: int, column: int, value: Cell) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, column, value)
    elif isinstance(value, str):
        sheet.write_string(line, column, value)
    else:
        sheet.write_number(line, column, value)


def layer_table(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    geography: Geography = "cell",
    *,
    resolution: int | None = None,
    level: int | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    at: date | None = None,
    lang: str = "zh-CN",
) -> Table:
    """The figures of a map as a table, one row a place, highest first. Raises what ``layer_values`` raises."""
    found = found_values(
        session, viewer, layer_id, geography, resolution=resolution, level=level, bbox=bbox, at=at
    )
    frame = layer_frame(session, viewer, found)
    layer = found.layer
    unit = in_language(layer.unit, lang)
    named = [c for c in ("code", "name", "name_en") if c in frame.columns]
    headings = [word(geography, lang), *(word(c, lang) for c in named)]
    headings.append(f"{in_language(layer.title, lang)} ({unit})" if unit else in_language(layer.title, lang))
    headings += [word("withheld", lang), *([word("moe", lang)] if found.moe is not None else [])]
    order = np.argsort(np.where(np.isnan(found.values), -np.inf, found.values), kind="stable")[::-1]
    keys: list[Cell] = list(
        cells.names(found.ids.view(np.uint64)) if geography == "cell" else found.ids.tolist()
    )
    parts: list[Sequence[Cell]] = [
        keys,
        *(frame[c].tolist() for c in named),
        [_plain(v) for v in found.values],
    ]
    parts.append(found.withheld.tolist())
    if found.moe is not None:
        parts.append([_plain(v) for v in found.moe])
    rows = [tuple(part[i] for part in parts) for i in order.tolist()]
    about = (
        (word("layer", lang), in_language(layer.title, lang)),
        (word("unit", lang), unit),
        (word("as_of", lang), found.as_of.isoformat()),
        *basis_note(found.basis, lang),
        (word("exactness", lang), word(found.exactness, lang)),
        (word("definition", lang), in_language(layer.definition, lang)),
        (word("source", lang), in_language(layer.source, lang)),
    )
    return Table(in_language(layer.title, lang), tuple(headings), rows, about, found.basis)


def basis_note(basis: Basis, lang: str) -> tuple[tuple[str, str], ...]:
    """What a table says of its day where that is the last month end and not the day asked for."""
    return ((word("basis", lang), word("month", lang)),) if basis == "month" else ()


def _plain(value: float) -> Cell:
    """A number for a table: none for missing, whole where it is whole."""
    if np.isnan(value):
        return None
    return int(value) if float(value).is_integer() else round(float(value), 4)


def layer_file(
    session: Session,
    viewer: Viewer,
    layer_id: str,
    file_format: str,
    geography: Geography = "cell",
    *,
    resolution: int | None = None,
    level: int | None = None,
    bbox: tuple[float, float, float, float] | None = None,
    at: date | None = None,
) -> bytes:
    """A layer with outlines (EPSG:4326) as "geojson", "gpkg" or "parquet" (GeoParquet 1.1), for QGIS and GDAL.

    Raises ExportFormatError and what ``layer_values`` raises.
    """
    if file_format not in {"geojson", "gpkg", "parquet"}:
        raise ExportFormatError(format=file_format)
    found = found_values(
        session, viewer, layer_id, geography, resolution=resolution, level=level, bbox=bbox, at=at
    )
    frame = layer_frame(session, viewer, found).reset_index()
    frame["as_of"] = found.as_of.isoformat()
    frame["unit"] = found.layer.unit["en"]
    if file_format == "parquet":
        out = io.BytesIO()
        frame.attrs = {}
        frame.to_parquet(out, index=False, compression="zstd")
        return out.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"layer.{file_format}"
        name = layer_id.replace(":", "_").replace(".", "_")
        driver, options = ("GPKG", {}) if file_format == "gpkg" else ("GeoJSON", {"COORDINATE_PRECISION": 7})
        frame.to_file(path, driver=driver, layer=name, engine="pyogrio", **options)
        return path.read_bytes()
