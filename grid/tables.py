"""ORM rows of the schema `geo`; private to this package (and held against the migrations by a test)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from geoalchemy2 import Geometry
from sqlalchemy import ARRAY, BigInteger, ForeignKey, MetaData, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_Shape = Geometry("MULTIPOLYGON", srid=4326, spatial_index=False)


class Base(DeclarativeBase):
    """The rows of this room."""

    metadata = MetaData(schema="geo")
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSONB, int: BigInteger}


class AreaLevel(Base):
    """One level of the area tree; 0 is the city."""

    __tablename__ = "area_level"
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    key: Mapped[str]
    name: Mapped[dict[str, Any]]


class Area(Base):
    """One version of an area; the current one has no `valid_to`."""

    __tablename__ = "area"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    level: Mapped[int] = mapped_column(SmallInteger, ForeignKey("geo.area_level.level"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("geo.area.id"))
    name: Mapped[str]
    name_en: Mapped[str | None]
    path: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    urban_rural_class: Mapped[int | None] = mapped_column(SmallInteger)
    geom: Mapped[Any] = mapped_column(_Shape)
    area_m2: Mapped[float]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    run_id: Mapped[int | None]


class Grid(Base):
    """One version of a legal unit grid."""

    __tablename__ = "grid"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    area_id: Mapped[int] = mapped_column(ForeignKey("geo.area.id"))
    name: Mapped[str]
    geom: Mapped[Any] = mapped_column(_Shape)
    area_m2: Mapped[float]
    origin: Mapped[str]
    officer_patch: Mapped[str | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    run_id: Mapped[int | None]


class LandUse(Base):
    """A patch of one land use."""

    __tablename__ = "land_use"
    id: Mapped[int] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class")
    name: Mapped[str | None]
    geom: Mapped[Any] = mapped_column(_Shape)
    run_id: Mapped[int | None]
    source: Mapped[str | None]


class Cell(Base):
    """A cell of the city's base resolution with its three parents (named r9, r8, r7 whatever the base is)."""

    __tablename__ = "cell"
    cell: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    r9: Mapped[int]
    r8: Mapped[int]
    r7: Mapped[int]
    lng: Mapped[float]
    lat: Mapped[float]
    area_m2: Mapped[float]
    land_m2: Mapped[float]
    residential_m2: Mapped[float]


class AreaCell(Base):
    """The part of a cell that lies in an area."""

    __tablename__ = "area_cell"
    area_id: Mapped[int] = mapped_column(ForeignKey("geo.area.id"), primary_key=True)
    cell: Mapped[int] = mapped_column(ForeignKey("geo.cell.cell"), primary_key=True)
    overlap_m2: Mapped[float]
    share_of_cell: Mapped[float]
    share_of_area: Mapped[float]
    dwellings: Mapped[float]
    dwelling_share_of_area: Mapped[float]


class GridCell(Base):
    """The part of a cell that lies in a legal grid."""

    __tablename__ = "grid_cell"
    grid_id: Mapped[int] = mapped_column(ForeignKey("geo.grid.id"), primary_key=True)
    cell: Mapped[int] = mapped_column(ForeignKey("geo.cell.cell"), primary_key=True)
    overlap_m2: Mapped[float]
    share_of_cell: Mapped[float]
    share_of_grid: Mapped[float]
    dwellings: Mapped[float]
    dwelling_share_of_grid: Mapped[float]


class TopologyFinding(Base):
    """What a check of a layer found, and what was done about it."""

    __tablename__ = "topology_finding"
    id: Mapped[int] = mapped_column(primary_key=True)
    found_at: Mapped[datetime]
    run_id: Mapped[int | None]
    layer: Mapped[str]
    kind: Mapped[str]
    code: Mapped[str | None]
    other_code: Mapped[str | None]
    lng: Mapped[float]
    lat: Mapped[float]
    area_m2: Mapped[float]
    detail: Mapped[str | None]
    repair: Mapped[str | None]
