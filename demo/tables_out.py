"""Tables as departments deliver them: CSV and Excel while they are small, Parquet once they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from demo.city import Ground
from demo.plane import to_lnglat
from grid.datum import from_wgs84

#: Encoding of each table's CSV: the education bureau still writes GB18030.
ENCODINGS = {"schooling": "gb18030"}


class TableFile:
    """A table written part by part: `name`.csv or `name`.parquet."""

    def __init__(self, folder: Path, name: str, form: str) -> None:
        self.path = folder / f"{name}.{form}"
        self._encoding = ENCODINGS.get(name, "utf-8-sig")
        self._form = form
        self._parquet: Any = None
        self.rows = 0

    def add(self, table: pl.DataFrame) -> None:
        """Append rows; empty text is written as nothing."""
        table = table.with_columns(pl.col(pl.String).replace("", None))
        if self._form == "parquet":
            arrow = table.to_arrow()
            arrow = arrow.cast(pa.schema([(field.name, _plain(field.type)) for field in arrow.schema]))
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self.path, arrow.schema, compression="zstd")
            self._parquet.write_table(arrow, row_group_size=250_000)
        else:
            text = table.write_csv(include_header=self.rows == 0)
            encoding = self._encoding if self.rows == 0 else self._encoding.removesuffix("-sig")
            with self.path.open("ab") as file:
                file.write(text.encode(encoding))
        self.rows += len(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parquet is not None:
            self._parquet.close()


def _plain(kind: Any) -> Any:
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind


def employer_table(ground: Ground) -> pl.DataFrame:
    """The employers' register; its coordinates are GCJ-02, as a web map gave them."""
    employers = ground.employers
    lng, lat = from_wgs84(*to_lnglat(employers.x, employers.y), "GCJ-02")
    return pl.DataFrame(
        {
            "单位编号": employers.key,
            "统一社会信用代码": employers.uscc,
            "单位名称": employers.name,
            "行业门类": employers.industry,
            "地址": employers.address,
            "经度": np.round(lng, 7),
            "纬度": np.round(lat, 7),
            "成立日期": employers.founded.astype(np.int32),
        }
    ).with_columns(pl.col("成立日期").cast(pl.Date))


def write_excel(table: pl.DataFrame, path: Path) -> None:
    """A table as one sheet of an Excel file with dates as dates; the bytes depend on the content only."""
    import datetime as dt

    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"constant_memory": False})
    book.set_properties({"created": dt.datetime(2026, 11, 20)})
    sheet = book.add_worksheet("单位名录")
    date = book.add_format({"num_format": "yyyy-mm-dd"})
    for column, name in enumerate(table.columns):
        sheet.write_string(0, column, name)
        write = _writer(sheet, table.schema[name], date)
        for row, value in enumerate(table[name].to_list(), start=1):
            if value is not None:
                write(row, column, value)
    book.close()


def _writer(sheet: Any, kind: pl.DataType, date: Any) -> Callable[[int, int, Any], Any]:
    if kind == pl.Date:
        return lambda row, column, value: sheet.write_datetime(row, column, value, date)
    write: Callable[[int, int, Any], Any] = sheet.write_number if kind.is_numeric() else sheet.write_string
    return write
