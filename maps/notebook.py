"""The loaded city from a notebook.

>>> from maps.notebook import City                          # doctest: +SKIP
>>> city = City.connect()                                   # doctest: +SKIP
>>> city.map("residents")                                   # doctest: +SKIP

Without an account the figures are the published ones, as an analyst sees them. Signed in (``City.sign_in``, or the
token of a session in HEXWARD_TOKEN) they are exact within the person's territory, and every look is audited.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import geopandas as gpd
import httpx
import numpy as np
import pandas as pd
from sqlalchemy import text

from db.engine import engine as engine_of
from db.engine import read_session, write_session
from grid.cells import by_library, outlines
from grid.datum import to_wgs84
from maps import cells
from maps.catalogue import catalogue
from maps.dashboard import dashboard
from maps.errors import NotebookSessionError
from maps.export_html import one_file_map
from maps.frames import CRS, found_values, layer_frame
from maps.ground import basemap_of
from maps.territory import base_resolution
from maps.viewer import PUBLISHED, Viewer
from privacy import audit
from privacy.access import policy
from privacy.territory import Acting, enter

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from maps.figures import Geography
    from maps.one_file import OneFileMap

TOKEN: Final = "HEXWARD_TOKEN"  # noqa: S105 - the name of a variable, not a token
COOKIE: Final = "hexward_session"
IDLE_SECONDS: Final = 8 * 3600.0


@dataclass(frozen=True)
class City:
    """The city as one person sees it. Make it with ``City.connect``."""

    engine: Engine
    lang: str = "zh-CN"
    token_hash: bytes | None = None
    basemap: Path | None = None

    @classmethod
    def connect(cls, token: str | None = None, *, lang: str = "zh-CN", engine: Engine | None = None) -> City:
        """Open the city: published figures without a token, the person's own with one (or in HEXWARD_TOKEN).

        ``engine`` stands in for the project's database. Raises NotebookSessionError when the session has ended.
        """
        token = token or os.environ.get(TOKEN)
        basemap = None
        if engine is None:
            with read_session(engine_of("app")) as session:
                basemap = basemap_of(session)
        if token is None:
            return cls(engine or engine_of("pub_reader"), lang, basemap=basemap)
        hashed = hashlib.sha256(token.encode()).digest()
        with write_session(engine or engine_of("app")) as session:
            exact = policy().terms(_acting(session, hashed).role).figures == "duty"
        return cls(engine or engine_of("app" if exact else "pub_reader"), lang, hashed, basemap)

    @classmethod
    def sign_in(
        cls,
        account: str,
        password: str | None = None,
        *,
        app: str = "http://localhost:8000",
        lang: str = "zh-CN",
    ) -> City:
        """Sign in at the running app, as in the browser, and connect; asks for the password when none is given.

        ``account`` "demo:officer", "demo:manager" or "demo:analyst" takes a demo account. Raises
        NotebookSessionError when the app does not let the person in.
        """
        role = account.removeprefix("demo:")
        if role != account:
            asked = {"demo": role}
        else:
            asked = {"account": account, "password": password if password is not None else getpass.getpass()}
        answer = httpx.post(f"{app}/api/session", json=asked)
        token = answer.cookies.get(COOKIE)
        if answer.status_code != httpx.codes.OK or token is None:
            raise NotebookSessionError(variable=TOKEN, told=answer.json().get("detail", ""))
        return cls.connect(token, lang=lang)

    def layers(self) -> pd.DataFrame:
        """Everything that can be drawn: title, unit, kind, definition; index: the layer's id."""
        with self._looking("catalogue") as (session, viewer):
            found = catalogue(session, viewer).layers.values()
        language = "zh" if self.lang.startswith("zh") else "en"
        rows = [
            {
                "layer": x.id, "title": x.title[language], "unit": x.unit[language], "kind": x.kind,
                "history": x.has_history, "definition": x.definition[language],
            }
            for x in found
        ]  # fmt: skip
        return pd.DataFrame(rows).set_index("layer")

    def layer(
        self,
        layer: str,
        geography: Geography = "cell",
        *,
        resolution: int | None = None,
        level: int | None = None,
        at: date | None = None,
    ) -> gpd.GeoDataFrame:
        """A layer with outlines, EPSG:4326; index: the cell's id, or the area's or grid's number.

        Columns: value (missing where withheld), withheld, and code and name of areas and grids.
        """
        with self._looking("layer", layer=layer, geography=geography) as (session, viewer):
            found = found_values(session, viewer, layer, geography, resolution=resolution, level=level, at=at)
            return layer_frame(session, viewer, found)

    def map(
        self,
        layer: str,
        geography: Geography = "cell",
        *,
        resolution: int | None = None,
        level: int | None = None,
        at: date | None = None,
    ) -> OneFileMap:
        """A folium map of a layer; shows itself in a notebook, and ``save(path)`` writes it. Needs no network."""
        with self._looking("map", layer=layer, geography=geography) as (session, viewer):
            return one_file_map(
                session,
                viewer,
                layer,
                geography,
                resolution=resolution,
                level=level,
                at=at,
                lang=self.lang,
                basemap=self.basemap,
            )

    def dashboard(self, kind: str, unit: str | int, at: date | None = None) -> dict[str, Any]:
        """The dashboard of an area, grid or cell, as the app's own."""
        with self._looking("dashboard", kind=kind, unit=str(unit)) as (session, viewer):
            return dashboard(session, viewer, kind, str(unit), at)

    def join_csv(
        self,
        path: str | Path,
        *,
        lng: str,
        lat: str,
        datum: str,
        resolution: int | None = None,
        **reading: Any,
    ) -> pd.DataFrame:
        """The analyst's own table with a column "cell": where each row's point lies; missing without a point.

        ``lng``, ``lat``: names of the coordinate columns, in ``datum`` (WGS84, CGCS2000, GCJ-02, BD-09); it has to be
        said, since a wrong one moves every point by hundreds of metres. ``reading`` goes to ``pandas.read_csv``.
        """
        frame = pd.read_csv(path, **reading)
        x = pd.to_numeric(frame[lng], errors="coerce").to_numpy(dtype=np.float64)
        y = pd.to_numeric(frame[lat], errors="coerce").to_numpy(dtype=np.float64)
        known = np.isfinite(x) & np.isfinite(y) & (np.abs(x) <= 180) & (np.abs(y) <= 90)
        east, north = to_wgs84(x[known], y[known], datum)
        if resolution is None:
            with self._looking("catalogue") as (session, viewer):
                resolution = base_resolution(session, viewer) - 1
        found = np.full(len(frame), None, dtype=object)
        found[known] = cells.names(by_library(east, north, resolution))
        joined: pd.DataFrame = frame.assign(cell=pd.array(found, dtype="string"))
        return joined

    @staticmethod
    def outlines(cell_ids: pd.Index[Any]) -> gpd.GeoDataFrame:
        """Outlines of cells by their ids, EPSG:4326: to draw one's own figures."""
        numbers = np.array([int(cell, 16) for cell in cell_ids], dtype=np.uint64)
        return gpd.GeoDataFrame(index=cell_ids, geometry=outlines(numbers), crs=CRS)

    @contextmanager
    def _looking(self, action: str, **params: Any) -> Iterator[tuple[Session, Viewer]]:
        """One transaction as this person; exact figures are audited in it before they are returned."""
        with write_session(self.engine) as session:
            if self.token_hash is None:
                session.execute(text("SET TRANSACTION READ ONLY"))
                yield session, PUBLISHED
                return
            acting = _acting(session, self.token_hash)
            resource = "dashboard" if action == "dashboard" else "map"
            decision = policy().require(acting.role, resource, "view")
            if decision.figures != "duty":
                yield session, PUBLISHED
                return
            scope = f"{acting.id}:{acting.territory}"
            yield session, Viewer("duty", whole_city=acting.whole_city, scope=scope)
            audit.append(
                session,
                f"notebook.{action}",
                resource=resource,
                purpose=decision.purpose,
                territory="whole city" if acting.whole_city else acting.territory,
                params=params,
            )


def _acting(session: Session, token_hash: bytes) -> Acting:
    found = enter(session, token_hash, IDLE_SECONDS)
    if found is None:
        raise NotebookSessionError(variable=TOKEN, told="")
    return found
