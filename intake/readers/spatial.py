"""Layers of geographic formats through GDAL, streamed: GeoPackage, GeoJSON, Shapefile."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyogrio
import pyproj

from intake.encoding import CODECS, canonical, detect
from intake.errors import EncodingError, SourceError
from intake.reader import WKB, ReaderOptions, SourceReader
from intake.readers.frames import as_text, marked
from intake.readers.headers import name_columns
from intake.readers.stream import samples

_GDAL = pyogrio.errors
_BROKEN = (
    _GDAL.DataSourceError, _GDAL.DataLayerError, _GDAL.FeatureError, pa.ArrowException, RuntimeError, ValueError,
)  # fmt: skip
_SURE = 0.5
_GEOJSON_DEFAULT = ("EPSG:4326", "OGC:CRS84")
"""What GDAL says of every GeoJSON without a CRS of its own (RFC 7946): the format speaks, not the file."""


class SpatialReader(SourceReader):
    """One layer; lines are feature numbers from 1 in the file's order."""

    format = "spatial"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        super().__init__(path, options)
        self._layer = self._choose_layer()
        try:
            info = pyogrio.read_info(path, layer=self._layer, encoding=self._gdal_encoding())
        except _BROKEN as problem:
            raise SourceError(file=str(path), detail=_short(problem)) from None
        if info["features"] == 0:
            raise SourceError("source.header_only", file=str(path))
        self.crs = _crs_of(info["crs"])
        self.has_geometry = info["geometry_type"] is not None
        self._fields = [str(name) for name in info["fields"]]
        self.headers, renamed = name_columns([self._fields], len(self._fields))
        for old, new in renamed:
            self.warn("header_renamed", header=old, name=new)

    def _gdal_encoding(self) -> str | None:
        return None

    def _choose_layer(self) -> str | None:
        try:
            layers = [str(name) for name, _ in pyogrio.list_layers(self.path)]
        except _BROKEN as problem:
            raise SourceError(file=str(self.path), detail=_short(problem)) from None
        wanted = self.options.layer
        if wanted is not None and wanted not in layers:
            raise SourceError("source.no_such_layer", file=str(self.path), value=wanted, allowed=layers)
        if wanted is None and len(layers) > 1:
            raise SourceError("source.choose_layer", file=str(self.path), allowed=layers)
        return wanted or (layers[0] if layers else None)

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        number = 1
        try:
            with pyogrio.open_arrow(
                self.path, layer=self._layer, batch_size=min(rows, 65_536), use_pyarrow=True,
                encoding=self._gdal_encoding(),
            ) as (meta, reader):  # fmt: skip
                geometry = meta["geometry_name"] or "wkb_geometry"
                for batch in reader:
                    yield self._frame(batch, geometry, number)
                    number += batch.num_rows
        except _BROKEN as problem:
            raise SourceError(
                "source.broken_after", file=str(self.path), line=number - 1, detail=_short(problem)
            ) from None

    def _frame(self, batch: Any, geometry: str, number: int) -> pl.DataFrame:
        columns = [
            as_text(_series(batch.column(field))).alias(header)
            for field, header in zip(self._fields, self.headers, strict=True)
        ]
        shapes = [_series(batch.column(geometry)).cast(pl.Binary).alias(WKB)] if self.has_geometry else []
        return marked(columns, number, shapes)


def _crs_of(told: str | None) -> str | None:
    """``EPSG:n`` where what GDAL tells is one of them, also by another name (an Esri ``.prj``); else its name."""
    if told is None or told.startswith(("EPSG:", "OGC:")):
        return told
    try:
        crs = pyproj.CRS.from_user_input(told)
        number = crs.to_epsg(min_confidence=25)
    except pyproj.exceptions.CRSError:
        return " ".join(told.split())[:60]
    return f"EPSG:{number}" if number else str(crs.name)


def _series(array: Any) -> pl.Series:
    """An Arrow column without the marks of extension types."""
    plain = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
    made = pl.from_arrow(plain)
    assert isinstance(made, pl.Series)
    return made


def _short(problem: Exception) -> str:
    return re.sub(r"\s+", " ", str(problem))[:300]


class GeoJsonReader(SpatialReader):
    """GeoJSON; other members beside the features (names, metadata) do no harm, TopoJSON is something else."""

    format = "geojson"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        head, more = samples(path)
        if re.search(rb'"type"\s*:\s*"Topology"', head[:65536]) and b'"Feature"' not in head:
            raise SourceError("source.topojson", file=str(path))
        guess = detect(head, more)
        if guess.encoding not in (None, "UTF-8"):
            offset = next(
                i for i, byte in enumerate(head) if byte > 127 or guess.encoding.startswith("UTF-16")
            )
            raise EncodingError(
                file=str(path), encoding="UTF-8", line=head.count(b"\n", 0, offset) + 1, offset=offset,
                looks_like=guess.encoding, allowed=["UTF-8"],
            )  # fmt: skip
        super().__init__(path, options)
        self.encoding = "UTF-8"
        if self.crs in _GEOJSON_DEFAULT:
            self.crs = None


class GeoPackageReader(SpatialReader):
    """GeoPackage: one of its layers."""

    format = "gpkg"


class ShapefileReader(SpatialReader):
    """Shapefile, with its table's encoding by city.toml, its ``.cpg``, or from the text itself."""

    format = "shp"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        beside = {other.suffix.lower(): other for other in path.parent.glob(f"{path.stem}.*")}
        missing = [suffix for suffix in (".shx", ".dbf") if suffix not in beside]
        if missing:
            raise SourceError("source.shapefile_part_missing", file=str(path), missing=missing)
        self._encoding = self._table_encoding(path, beside, options)
        super().__init__(path, options)
        self.encoding = self._encoding

    def _table_encoding(self, path: Path, beside: dict[str, Path], options: ReaderOptions) -> str:
        guess = detect(_dbf_text(beside[".dbf"]))
        declared = options.encoding
        if declared and guess.encoding not in (None, declared) and guess.margin > _SURE and guess.sure:
            raise EncodingError(
                file=str(beside[".dbf"]), encoding=declared, line=1, offset=0, looks_like=guess.encoding,
                allowed=list(CODECS),
            )  # fmt: skip
        stated = canonical(beside[".cpg"].read_text("ascii", "ignore")) if ".cpg" in beside else None
        if declared is None and guess.encoding is not None and guess.margin > _SURE and guess.sure:
            return guess.encoding
        return declared or stated or guess.encoding or "UTF-8"

    def _gdal_encoding(self) -> str | None:
        return {"Big5": "CP950", "Windows-1252": "CP1252"}.get(self._encoding, self._encoding)


def _dbf_text(path: Path, limit: int = 262_144) -> bytes:
    """Field names and texts of a dBase table, one record a line, for finding out the encoding."""
    with path.open("rb") as handle:
        head = handle.read(32)
        if len(head) < 32:
            raise SourceError("source.empty", file=str(path))
        header_size, record_size = struct.unpack("<HH", head[8:12])
        rest = handle.read(max(header_size - 32, 0))
        body = handle.read(limit)
    names = b"\n".join(rest[at : at + 11].split(b"\0")[0] for at in range(0, len(rest) - 31, 32))
    size = max(record_size, 1)
    records = [re.sub(rb"[\0 ]+", b" ", body[at : at + size]) for at in range(0, len(body), size)]
    return names + b"\n" + b"\n".join(records)
