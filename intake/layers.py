"""What layers of areas, legal grids and land use are read by: their fields, names and codes.

The grid room loads them; it stands below intake and so cannot declare them itself.
"""

from __future__ import annotations

from typing import Final

from intake.schema import Check, Field, Schema

_LAND_USE: Final[dict[str, int | str]] = {
    "居住": "residential", "居住用地": "residential", "住宅用地": "residential", "residential": "residential",
    "商业": "commercial", "商业服务业用地": "commercial", "商业用地": "commercial", "商服用地": "commercial",
    "commercial": "commercial",
    "工业": "industrial", "工业用地": "industrial", "工矿用地": "industrial", "industrial": "industrial",
    "公共": "public", "公共管理与公共服务用地": "public", "公共用地": "public", "公共服务": "public",
    "public": "public",
    "绿地": "green", "绿地与广场用地": "green", "公园": "green", "green": "green", "park": "green",
    "水域": "water", "水系": "water", "water": "water",
    "交通": "transport", "道路与交通设施用地": "transport", "交通运输用地": "transport",
    "道路交通用地": "transport", "交通用地": "transport", "transport": "transport",
    "农用地": "farmland", "耕地": "farmland", "农业": "farmland", "farmland": "farmland",
    "其他": "other", "其它": "other", "other": "other",
}  # fmt: skip

_CODE = ("编码", "代码", "区划代码", "行政区划代码", "统计用区划代码", "adcode", "geoid")
_NAME = ("名称", "区划名称", "name zh", "chinese name")

AREAS: Final = Schema(
    kind="areas",
    fields=(
        Field("code", "code", required=True, synonyms=(*_CODE, "area code")),
        Field("name", synonyms=_NAME),
        Field("name_en", synonyms=("英文名称", "英文名", "english name")),
        Field("parent_code", "code", synonyms=("上级代码", "上级编码", "所属区划代码", "parent")),
        Field("urban_rural_class", "int", synonyms=("城乡分类", "城乡分类代码", "urban rural class"),
              check=Check("not_an_urban_rural_class", lambda v: v.is_in([111, 112, 121, 122, 123, 210, 220]))),
        Field("valid_from", "date", synonyms=("启用日期", "生效日期", "valid from")),
        Field("geometry", "geometry", required=True, synonyms=("几何", "wkt", "geom", "the_geom")),
    ),
)  # fmt: skip

GRIDS: Final = Schema(
    kind="grids",
    fields=(
        Field("code", "code", synonyms=("网格编码", "网格代码", "单元网格编码", *_CODE, "grid code")),
        Field("name", synonyms=("网格名称", *_NAME)),
        Field("area_code", "code", synonyms=("社区代码", "社区编码", "所属社区代码", "community code")),
        Field("officer_patch", synonyms=("责任网格", "责任网格编码", "网格员责任区", "patch")),
        Field("valid_from", "date", synonyms=("启用日期", "生效日期", "valid from")),
        Field("geometry", "geometry", required=True, synonyms=("几何", "wkt", "geom", "the_geom")),
    ),
)

LAND_USE: Final = Schema(
    kind="land_use",
    fields=(
        Field("class", "code", required=True, synonyms=("用地类型", "用地性质", "地类", "land use", "type"),
              codes=_LAND_USE),
        Field("name", synonyms=_NAME),
        Field("geometry", "geometry", required=True, synonyms=("几何", "wkt", "geom", "the_geom")),
    ),
)  # fmt: skip

SCHEMAS: Final = {one.kind: one for one in (AREAS, GRIDS, LAND_USE)}
"""The schema of each kind of layer, by its kind."""
