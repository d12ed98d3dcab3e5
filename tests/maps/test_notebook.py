"""The notebook's way in: published figures by default, a person's own with the token of a session."""

from __future__ import annotations

import pandas as pd
import pytest
from sqlalchemy import text

from grid.datum import MissingDatumError, UnknownDatumError, from_wgs84
from maps.errors import NotebookSessionError
from maps.notebook import City
from tests.maps.town import AS_OF, SOUTH, WEST


@pytest.fixture(autouse=True)
def _no_token(monkeypatch):
    monkeypatch.delenv("HEXWARD_TOKEN", raising=False)


def test_without_an_account_only_published_figures(built, town):
    city = City.connect(engine=built.reader, lang="en")
    frame = city.layer("floating", resolution=10)
    assert frame.crs.to_epsg() == 4326
    assert frame.index.name == "cell"
    assert (frame.index.str.len() == 15).all()
    assert frame["value"].min() >= 13
    assert frame.loc[frame["withheld"], "value"].isna().all()
    assert frame.attrs["unit"] == {"zh": "人", "en": "people"}
    assert frame.attrs["as_of"] == AS_OF.isoformat()
    assert "residents" in city.layers().index


def test_the_same_map_in_three_lines(built, tmp_path):
    city = City.connect(engine=built.reader)
    shown = city.map("residents")
    shown.save(str(tmp_path / "map.html"))
    assert "常住居民" in (tmp_path / "map.html").read_text("utf-8")
    assert "http" not in shown._repr_html_().split("srcdoc")[0]


def test_with_a_token_the_own_figures_and_an_audit_row(built, town):
    city = City.connect("manager", engine=built.app)
    frame = city.layer("residents", "area", level=2)
    assert set(frame.index) == {4, 5}
    assert frame.loc[4, "value"] == town.total("residents", community=4)
    assert city.dashboard("area", 4)["exactness"] == "duty"
    with built.owner.connect() as connection:
        rows = connection.execute(text("SELECT account, action, params FROM audit.event ORDER BY id")).all()
    seen = [(r.account, r.action) for r in rows]
    assert ("manager", "notebook.layer") in seen
    assert ("manager", "notebook.dashboard") in seen
    assert next(r for r in rows if r.action == "notebook.layer").params["layer"] == "residents"


def test_a_wrong_token_opens_nothing(built, monkeypatch):
    with pytest.raises(NotebookSessionError):
        City.connect("nobody", engine=built.app)
    monkeypatch.setenv("HEXWARD_TOKEN", "nobody")
    with pytest.raises(NotebookSessionError):
        City.connect(engine=built.app)


def test_an_analysts_own_table_joined_to_cells(built, tmp_path, town):
    city = City.connect(engine=built.reader)
    here = [(WEST + 0.004, SOUTH + 0.006), (WEST + 0.015, SOUTH + 0.015)]
    x, y = from_wgs84([p[0] for p in here], [p[1] for p in here], "GCJ-02")
    path = tmp_path / "shops.csv"
    pd.DataFrame({"店名": ["甲", "乙", "丙", "丁"], "经度": [*x, "", 999], "纬度": [*y, 30, 30]}).to_csv(
        path, index=False, encoding="gb18030"
    )
    joined = city.join_csv(path, lng="经度", lat="纬度", datum="GCJ-02", resolution=10, encoding="gb18030")
    import h3

    assert joined["cell"].tolist()[:2] == [h3.latlng_to_cell(lat, lng, 10) for lng, lat in here]
    assert joined["cell"].isna().tolist() == [False, False, True, True]
    assert joined["店名"].tolist() == ["甲", "乙", "丙", "丁"]
    residents = city.layer("residents", resolution=10)
    assert joined.dropna(subset="cell").join(residents["value"], on="cell")["value"].notna().any()
    assert city.outlines(pd.Index(joined["cell"].dropna())).geometry.is_valid.all()
    with pytest.raises((UnknownDatumError, MissingDatumError)):
        city.join_csv(path, lng="经度", lat="纬度", datum="", encoding="gb18030")
