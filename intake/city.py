"""A city is one declarative file, ``city.toml``.

Example
-------
.. code-block:: toml

    [city]
    code = "990100"
    name = { zh = "临江市", en = "Linjiang" }
    zone = "Asia/Shanghai"
    languages = ["zh-CN", "en"]
    datum = "CGCS2000"
    base_resolution = 10

    [[levels]]                          # root first, in order
    key = "city"
    name = { zh = "市", en = "City" }

    [[levels]]
    key = "community"
    name = { zh = "社区", en = "Community" }

    [grids]                             # only if the program shall propose legal grids
    propose = true
    target_m2 = 10000

    [[sources]]
    name = "communities"
    kind = "areas"
    level = "community"
    file = "communities.geojson"        # relative to this file; a glob or files = [...] also
    datum = "GCJ-02"                    # whatever has coordinates must name it

    [[sources]]
    name = "people"
    kind = "persons"
    file = "people-*.csv.gz"
    encoding = "GB18030"                # optional: found out when left out
    columns = { key = "人员编号", sex = "性别" }
    codes = { sex = { "男" = 1, "女" = 2 } }
    constants = { status = "registered" }
"""

from __future__ import annotations

import difflib
import glob
import tomllib
from pathlib import Path
from typing import Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from db.settings import DbSettings
from grid.datum import Datum, UnknownDatumError
from intake.encoding import CODECS, canonical
from intake.errors import CityFileError

Kind = Literal[
    "areas", "grids", "land_use", "buildings", "dwellings", "persons", "employers", "employment", "schooling",
    "areal",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
GEOMETRY_KINDS = ("areas", "grids", "land_use")
Scalar = str | int | float | bool


def _refused(code: str, **context: Any) -> PydanticCustomError:
    return PydanticCustomError("hexward", code, context)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class LocalName(_Model):
    """A name in Chinese and English."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class CityInfo(_Model):
    """``[city]``"""

    code: str = Field(pattern=r"^[0-9A-Za-z_-]{1,32}$")
    name: LocalName
    zone: str = "Asia/Shanghai"
    languages: list[Literal["zh-CN", "en"]] = Field(default=["zh-CN", "en"], min_length=1)
    datum: str = "CGCS2000"
    base_resolution: int = Field(default=10, ge=6, le=12)
    is_demo: bool = False

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as problem:
            raise _refused("city.unknown_zone", value=value) from problem
        return value

    @field_validator("datum")
    @classmethod
    def _datum_known(cls, value: str) -> str:
        return known_datum(value)


class Level(_Model):
    """``[[levels]]``: one level of the area tree, root first."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    name: LocalName


class Basemap(_Model):
    """``[basemap]``: an own vector basemap instead of none."""

    pmtiles: str | None = None
    mvt: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.pmtiles is None) == (self.mvt is None):
            raise _refused("city.one_of", allowed=["pmtiles", "mvt"])
        return self


class Demo(_Model):
    """``[demo]``: the sources are those of a generated city, made before the load when they are missing.

    Their files and the basemap are looked for in ``folder`` (relative to the city file), which is
    ``demo/<size>-<seed>`` in the project's home when it is left out.
    """

    size: Literal["town", "district", "city", "big", "metropolis"] = "district"
    seed: int = Field(default=1, ge=0)
    flaws: bool = False
    folder: str | None = None

    def place(self, beside: Path) -> Path:
        """Where the generated files are kept; ``beside`` is the folder of the city file."""
        if self.folder is not None:
            return (beside / self.folder).resolve()
        return DbSettings().home / "demo" / f"{self.size}-{self.seed}{'-flaws' if self.flaws else ''}"


class Grids(_Model):
    """``[grids]``: let the program propose legal grids inside communities."""

    propose: bool = False
    target_m2: float = Field(default=10_000, ge=1_000, le=10_000_000)


class Variable(_Model):
    """One column of an areal table: the estimate, optionally its margin of error."""

    column: str
    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    name: LocalName
    moe: str | None = None
    unit: LocalName | None = None


class Source(_Model):
    """``[[sources]]``: one table or layer, where it lies and how to read it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    kind: Kind
    file: str | None = None
    files: list[str] | None = None
    datum: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | int | None = None
    layer: str | None = None
    header_rows: int | None = Field(default=None, ge=1, le=10)
    skip_rows: int = Field(default=0, ge=0, le=1000)
    date_order: Literal["ymd", "dmy", "mdy"] = "ymd"
    null_values: list[str] = []
    columns: dict[str, str] = {}
    joined: dict[str, list[str]] = {}
    codes: dict[str, dict[str, str | int]] = {}
    constants: dict[str, Scalar] = {}
    optional: bool = False
    repeated: Literal["reject", "keep"] = "reject"
    # areas
    level: str | None = None
    # areal
    area_level: str | None = None
    area_key: str | None = None
    variables: list[Variable] = []
    weights: Literal["dwellings", "residential", "area"] | None = None
    period: str | None = None
    title: LocalName | None = None
    _base: Path = PrivateAttr(default=Path())

    @field_validator("datum")
    @classmethod
    def _datum_known(cls, value: str | None) -> str | None:
        return None if value is None else known_datum(value)

    @field_validator("encoding")
    @classmethod
    def _encoding_known(cls, value: str | None) -> str | None:
        if value is None:
            return None
        found = canonical(value)
        if found is None:
            raise _refused("city.not_allowed", value=value, allowed=sorted(CODECS))
        return found

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value.encode()) != 1 or value in '"\r\n'):
            raise _refused("city.not_allowed", value=value, allowed=[",", ";", "\\t", "|"])
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.file is None) == (self.files is None):
            raise _refused("city.one_of", allowed=["file", "files"])
        if self.kind in GEOMETRY_KINDS and self.datum is None:
            raise _refused("city.datum_missing", source=self.name)
        if self.kind == "areas" and self.level is None:
            raise _refused("city.missing_key", key="level")
        if self.kind == "areal":
            for needed in ("area_level", "area_key", "variables"):
                if not getattr(self, needed):
                    raise _refused("city.missing_key", key=needed)
        return self

    def paths(self) -> list[Path]:
        """The source's files, patterns filled in, in order of name.

        Raises ``CityFileError`` (``city.source_file_missing``) for a name or pattern that finds nothing.
        """
        found: list[Path] = []
        for pattern in [self.file] if self.file is not None else self.files or []:
            whole = self._base / pattern
            hits = [whole] if whole.is_file() else []
            if not hits and glob.has_magic(pattern):
                hits = [Path(hit) for hit in sorted(glob.glob(str(whole))) if Path(hit).is_file()]
            if not hits:
                raise CityFileError("city.source_file_missing", source=self.name, file=str(whole))
            found += hits
        return found


class City(_Model):
    """The whole file."""

    city: CityInfo
    levels: list[Level] = Field(min_length=1, max_length=12)
    sources: list[Source] = []
    basemap: Basemap | None = None
    grids: Grids = Grids()
    demo: Demo | None = None
    _path: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keys = [level.key for level in self.levels]
        names = [source.name for source in self.sources]
        for what, values in (("levels.key", keys), ("sources.name", names)):
            twice = sorted({v for v in values if values.count(v) > 1})
            if twice:
                raise _refused("city.twice", key=what, value=twice[0])
        for source in self.sources:
            for used in (source.level, source.area_level):
                if used is not None and used not in keys:
                    raise _refused("city.unknown_level", source=source.name, value=used, allowed=keys)
        return self

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self._path

    @property
    def folder(self) -> Path:
        """Where the files it names are looked for: beside it, or where the demo city is kept."""
        beside = self._path.parent
        return beside if self.demo is None else self.demo.place(beside)

    def source(self, name: str) -> Source:
        """The source called ``name``; raises ``CityFileError`` naming those there are."""
        for source in self.sources:
            if source.name == name:
                return source
        raise CityFileError(
            "city.unknown_source", file=str(self._path), value=name, allowed=[s.name for s in self.sources]
        )


def known_datum(value: str) -> str:
    """The canonical key of the datum ``value`` names: WGS84, CGCS2000, GCJ-02, BD-09 or EPSG:n (a zone).

    >>> known_datum("gcj02"), known_datum("EPSG:4326")
    ('GCJ-02', 'WGS84')
    """
    try:
        return Datum.parse(value).key
    except UnknownDatumError as problem:
        allowed = ["WGS84", "CGCS2000", "GCJ-02", "BD-09", "EPSG:4547"]
        raise _refused("city.not_allowed", value=value, allowed=allowed) from problem


def load_city(path: str | Path) -> City:
    """Read and check ``path``.

    Raises ``CityFileError``: not there, not TOML (with line and column), or ``city.invalid`` with every
    problem: its key, what was found, what is allowed, what to do.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError) as problem:
        raise CityFileError("city.not_found", file=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise CityFileError("city.not_utf8", file=str(path), offset=problem.start) from problem
    except tomllib.TOMLDecodeError as problem:
        raise CityFileError("city.not_toml", file=str(path), detail=str(problem)) from problem
    try:
        city = City.model_validate(content)
    except ValidationError as found:
        problems = [_problem(error) for error in found.errors(include_url=False)]
        raise CityFileError("city.invalid", file=str(path), problems=problems) from None
    city._path = path.resolve()
    for source in city.sources:
        source._base = city.folder
    return city


def _key_path(where: tuple[int | str, ...]) -> str:
    """``('sources', 2, 'kind')`` -> ``sources[3].kind`` (counted as a person counts)."""
    shown = ""
    for part in where:
        shown += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if shown else str(part)
    return shown or "(file)"


def _problem(error: ErrorDetails) -> dict[str, Any]:
    context = dict(error.get("ctx", {}))
    key = _key_path(error["loc"])
    if error["type"] == "hexward":
        if "key" in context:
            key = f"{key}.{context.pop('key')}" if key != "(file)" else context.pop("key")
        return {"code": error["msg"], "key": key, **context}
    if error["type"] == "missing":
        return {"code": "city.missing_key", "key": key}
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(error["loc"]), n=1, cutoff=0.6)
        return {"code": "city.unknown_key", "key": key, "allowed": near or sorted(_known_keys(error["loc"]))}
    return {
        "code": "city.not_allowed",
        "key": key,
        "value": str(error["input"])[:80],
        "allowed": [str(context.get("expected") or error["msg"])],
    }


def _known_keys(where: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "city": CityInfo, "levels": Level, "sources": Source, "basemap": Basemap, "grids": Grids, "demo": Demo,
        "variables": Variable, "name": LocalName, "unit": LocalName, "title": LocalName,
    }  # fmt: skip
    model: type[BaseModel] = City
    for part in where[:-1]:
        if isinstance(part, str) and part in tables:
            model = tables[part]
    return list(model.model_fields)
