"""Names that a spreadsheet would run: harmless in everything that is taken away."""

from __future__ import annotations

import csv
import io
from datetime import date

import openpyxl
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from maps.dashboard import dashboard
from maps.dashboard_table import dashboard_table
from maps.exports import layer_table
from maps.viewer import Viewer
from tests.faults.town import Town

pytestmark = pytest.mark.faults

HOSTILE = ("=cmd|'/C calc'!A0", "+SUM(1)", "-2+3", "@HYPERLINK(1)")


def _harmless_csv(content: bytes) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    cells = [cell for row in rows for cell in row]
    assert not [one for one in cells if one.startswith(("=", "+", "@", "\t", "\r")) or one in HOSTILE]
    return rows


def _harmless_xlsx(content: bytes) -> list[object]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert "f" not in {cell.data_type for cell in cells}
    return [cell.value for cell in cells]


def test_hostile_names_of_areas_and_wrong_rows_run_nothing(town: Town, database_engine: Engine) -> None:
    file = town.folder / "communities.geojson"
    text = file.read_text("utf-8")
    for number, code in enumerate(("990101001001", "990101001002", "990102001001", "990102001002")):
        text = text.replace(f"区域{code}", HOSTILE[number])
    file.write_text(text, "utf-8")

    def spoil(rows: list[list[str]]) -> None:
        for row, name in zip(rows[1:], HOSTILE, strict=False):
            row[2], row[4] = name, "1990-02-30"

    town.edit("people", spoil)
    told = town.load()
    assert told.code == 0, told.err
    with Session(database_engine) as session, session.begin():
        viewer = Viewer("duty", whole_city=True, scope="steward")
        table = layer_table(session, viewer, "residents", "area", level=2, lang="en")
        shown = {cell for row in _harmless_csv(table.csv()) for cell in row}
        assert {f"'{name}" for name in HOSTILE} <= shown
        assert set(HOSTILE) <= set(_harmless_xlsx(table.xlsx("en")))
        for (unit,) in town.rows("select id from geo.area where level = 2"):
            board = dashboard_table(dashboard(session, viewer, "area", str(unit), date.today()), "en")
            _harmless_csv(board.csv())
            _harmless_xlsx(board.xlsx("en"))
    run = town.value("select max(run_id) from ops.rejected_row")
    out = town.folder / "rejected.xlsx"
    assert town.run("runs", "rejected", str(run), "--out", str(out)).code == 0
    values = [str(value) for value in _harmless_xlsx(out.read_bytes())]
    assert [name for name in HOSTILE if not any(name in value for value in values)] == []
