"""What the register takes in: the fields of each kind of source, their names in Chinese and English, their rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from intake.checks import USCC, id_birth_date
from intake.schema import Check, Field, RowCheck, Schema
from population.register import codes
from population.register.documents import find_document_problems

_CONFIRMED: Final = Field(
    "confirmed",
    "date",
    synonyms=("核实日期", "核查日期", "确认日期", "confirmed on", "last confirmed", "verified on"),
)


_PAST: Final = Check("in_the_future", lambda days: days <= datetime.now(tz=UTC).date() + timedelta(days=1))
"""The day has come, somewhere on earth."""


def _episode(first: str, last: str) -> RowCheck:
    return RowCheck("ends_before_it_begins", last, lambda rows: rows[last] > rows[first])


BUILDINGS: Final = Schema(
    kind="buildings",
    fields=(
        Field("key", required=True, synonyms=("建筑编号", "楼栋编号", "楼栋编码", "建筑物编码", "楼号", "building id",
              "building_key", "bbl", "bin")),
        Field("name", synonyms=("建筑名称", "楼栋名称", "楼名", "building name")),
        Field("address", synonyms=("地址", "门牌地址", "详细地址", "坐落", "street address")),
        Field("use", "code", synonyms=("用途", "建筑用途", "房屋用途", "使用性质", "building use"), codes=codes.BUILDING_USE,
              default="residential"),
        Field("lng", "lng", required=True, synonyms=("经度", "x", "x坐标", "longitude", "lon")),
        Field("lat", "lat", required=True, synonyms=("纬度", "y", "y坐标", "latitude")),
        Field("floors", "int", synonyms=("层数", "楼层数", "总层数", "storeys", "numfloors"), minimum=0, maximum=200),
        Field("built_year", "int", synonyms=("建成年份", "建成年代", "建造年份", "竣工年份", "year built", "yearbuilt"),
              minimum=0, maximum=2100),
        Field("floor_area_m2", "float", synonyms=("建筑面积", "总建筑面积", "floor area"), minimum=0),
        Field("dwellings_count", "float", synonyms=("户数", "套数", "住宅套数", "dwelling units", "units", "unitsres"),
              minimum=0, maximum=1e8),
        Field("residents_estimate", "float", synonyms=("估计人口", "人口估计", "居住人数", "estimated residents",
              "population estimate"), minimum=0, maximum=1e8),
        Field("area_code", synonyms=("社区代码", "社区编码", "所属社区代码", "area code", "community code")),
        Field("valid_from", "date", synonyms=("启用日期", "生效日期", "valid from")),
        Field("valid_to", "date", synonyms=("注销日期", "失效日期", "拆除日期", "valid to")),
    ),
    key=("key",),
    checks=(_episode("valid_from", "valid_to"),),
)  # fmt: skip

DWELLINGS: Final = Schema(
    kind="dwellings",
    fields=(
        Field("key", required=True, synonyms=("房屋编号", "房屋编码", "房间编号", "房屋代码", "dwelling id", "dwelling_key",
              "unit id")),
        Field("building_key", required=True, synonyms=("建筑编号", "楼栋编号", "楼栋编码", "所属楼栋", "building id")),
        Field("unit", synonyms=("单元", "单元号", "unit", "entrance")),
        Field("floor", synonyms=("楼层", "所在楼层", "floor", "storey")),
        Field("room", synonyms=("房号", "室", "房间号", "room", "room number")),
        Field("area_m2", "float", synonyms=("面积", "住房面积", "房屋面积", "建筑面积", "area", "floor area"), minimum=0,
              maximum=100_000),
        Field("rooms", "int", synonyms=("间数", "房间数", "rooms", "number of rooms"), minimum=0, maximum=500),
        Field("capacity", "int", synonyms=("床位数", "可住人数", "核定人数", "capacity", "beds"), minimum=0, maximum=10_000),
        Field("tenure", "code", synonyms=("产权", "住房性质", "住房来源", "居住性质", "权属", "tenure"), codes=codes.TENURE,
              default="other"),
        Field("use", synonyms=("用途", "房屋用途", "use")),
        Field("valid_from", "date", synonyms=("启用日期", "生效日期", "valid from")),
        Field("valid_to", "date", synonyms=("注销日期", "失效日期", "valid to")),
        _CONFIRMED,
    ),
    key=("key",),
    checks=(_episode("valid_from", "valid_to"),),
)  # fmt: skip

PERSONS: Final = Schema(
    kind="persons",
    fields=(
        Field("key", required=True, synonyms=("人员编号", "人口编号", "人员编码", "人员标识", "person id", "person_key")),
        Field("id_number", synonyms=("身份证号", "身份证号码", "公民身份号码", "证件号码", "证件号", "id number", "id card"),
              check=Check("id_wrong_check_digit", find_document_problems), sensitive=True),
        Field("name", synonyms=("姓名", "full name", "person name")),
        Field("sex", "code", synonyms=("性别", "gender"), codes=codes.SEX),
        Field("birth_date", "date", synonyms=("出生日期", "出生年月日", "生日", "date of birth", "dob", "birthday"),
              check=_PAST),
        Field("origin_code", synonyms=("户籍地代码", "户籍地行政区划代码", "户籍所在地代码", "户籍地区划", "origin", "origin code"),
              check=Check("not_an_area_code", lambda given: given.str.contains(r"^\d{6}(\d{6})?$"))),
        Field("phone", synonyms=("电话", "手机", "手机号", "联系电话", "mobile", "phone number"), sensitive=True),
        Field("dwelling_key", required=True, synonyms=("房屋编号", "房屋编码", "住所编号", "现住房屋", "dwelling id")),
        Field("household_key", synonyms=("户号", "家庭编号", "户编号", "household id")),
        Field("household_kind", "code", synonyms=("户类型", "户别", "household kind"),
              codes={"家庭户": "family", "家庭": "family", "family": "family", "集体户": "collective", "集体": "collective",
                     "collective": "collective"}),
        Field("status", "code", required=True, synonyms=("人口类别", "人员类别", "户籍类型", "居住类别", "居住状态", "人户状态",
              "residence status"), codes=codes.STATUS),
        Field("permit", "code", synonyms=("居住证", "居住证状态", "residence permit"), codes=codes.PERMIT, default="none"),
        Field("permit_until", "date", synonyms=("居住证有效期", "居住证有效期至", "居住证到期日", "permit valid until")),
        Field("from", "date", synonyms=("入住日期", "起始日期", "来此日期", "迁入日期", "居住起始", "moved in", "from date")),
        Field("to", "date", synonyms=("离开日期", "终止日期", "迁出日期", "搬离日期", "居住终止", "moved out", "to date")),
        _CONFIRMED,
    ),
    key=("key", "from"),
    checks=(
        _episode("from", "to"),
        RowCheck("id_disagrees_with_birth_date", "birth_date",
                 lambda rows: id_birth_date(rows["id_number"]) == rows["birth_date"]),
        RowCheck("moved_in_before_birth", "from", lambda rows: rows["from"] >= rows["birth_date"]),
    ),
)  # fmt: skip

EMPLOYERS: Final = Schema(
    kind="employers",
    fields=(
        Field("key", required=True, synonyms=("单位编号", "企业编号", "法人编号", "employer id", "employer_key")),
        Field("uscc", synonyms=("统一社会信用代码", "社会信用代码", "credit code"), check=USCC),
        Field("name", synonyms=("单位名称", "企业名称", "employer name", "company")),
        Field("industry", "code", synonyms=("行业", "行业门类", "行业代码", "industry section", "sector"),
              codes=codes.INDUSTRY),
        Field("address", synonyms=("地址", "经营地址", "注册地址", "street address")),
        Field("lng", "lng", required=True, synonyms=("经度", "x", "x坐标", "longitude", "lon")),
        Field("lat", "lat", required=True, synonyms=("纬度", "y", "y坐标", "latitude")),
        Field("jobs_count", "int", synonyms=("从业人数", "职工人数", "员工人数", "jobs", "employees"), minimum=0,
              maximum=10_000_000),
        Field("valid_from", "date", synonyms=("成立日期", "生效日期", "valid from")),
        Field("valid_to", "date", synonyms=("注销日期", "失效日期", "valid to")),
    ),
    key=("key",),
    checks=(_episode("valid_from", "valid_to"),),
)  # fmt: skip

EMPLOYMENT: Final = Schema(
    kind="employment",
    fields=(
        Field("person_key", required=True, synonyms=("人员编号", "人口编号", "person id")),
        Field("employer_key", required=True, synonyms=("单位编号", "企业编号", "employer id")),
        Field("occupation", synonyms=("职业", "岗位", "工种", "job title")),
        Field("insured", "bool", synonyms=("参保", "是否参保", "社保", "social insurance")),
        Field("from", "date", synonyms=("入职日期", "起始日期", "就业日期", "from date", "hired")),
        Field("to", "date", synonyms=("离职日期", "终止日期", "to date", "left")),
        _CONFIRMED,
    ),
    key=("person_key", "employer_key", "from"),
    checks=(_episode("from", "to"),),
)  # fmt: skip

SCHOOLING: Final = Schema(
    kind="schooling",
    fields=(
        Field("person_key", required=True, synonyms=("人员编号", "学生编号", "person id", "student id")),
        Field("school", required=True, synonyms=("学校", "学校名称", "就读学校", "school name")),
        Field("stage", "code", required=True, synonyms=("学段", "学历层次", "就读阶段", "level"), codes=codes.STAGE),
        Field("from", "date", synonyms=("入学日期", "起始日期", "from date", "enrolled")),
        Field("to", "date", synonyms=("毕业日期", "离校日期", "终止日期", "to date", "left")),
        _CONFIRMED,
    ),
    key=("person_key", "school", "from"),
    checks=(_episode("from", "to"),),
)  # fmt: skip

SCHEMAS: Final = {one.kind: one for one in (BUILDINGS, DWELLINGS, PERSONS, EMPLOYERS, EMPLOYMENT, SCHOOLING)}
"""The schema of each kind of source, by its kind."""
