"""Words of registers in Chinese and English for the codes that are stored.

Sources: GB/T 2261.1-2003 (sex), GB/T 4754-2017 (sections of industry). The remaining words are those that
departments' tables use; a source with others names them in its ``codes``.
"""

from __future__ import annotations

from typing import Final

SEX: Final[dict[str, int | str]] = {
    "男": 1, "男性": 1, "male": 1, "m": 1, "女": 2, "女性": 2, "female": 2, "f": 2,
    "未知": 0, "unknown": 0, "未说明": 9, "unstated": 9,
}  # fmt: skip

STATUS: Final[dict[str, int | str]] = {
    "户籍": "registered", "户籍人口": "registered", "常住户籍": "registered", "本地户籍": "registered",
    "人户一致": "registered", "registered": "registered",
    "流动": "floating", "流动人口": "floating", "非户籍": "floating", "暂住": "floating", "外来": "floating",
    "人户分离": "floating", "floating": "floating",
}  # fmt: skip

PERMIT: Final[dict[str, int | str]] = {
    "无": "none", "未办": "none", "未办理": "none", "none": "none", "no": "none",
    "有": "valid", "有效": "valid", "已办": "valid", "已办理": "valid", "valid": "valid", "yes": "valid",
    "过期": "expired", "已过期": "expired", "失效": "expired", "expired": "expired",
}  # fmt: skip

TENURE: Final[dict[str, int | str]] = {
    "自有": "own", "自购": "own", "自住": "own", "自建": "own", "own": "own", "owned": "own", "owner": "own",
    "租": "rent", "租赁": "rent", "出租": "rent", "租住": "rent", "rent": "rent", "rented": "rent",
    "宿舍": "dormitory", "集体宿舍": "dormitory", "dormitory": "dormitory",
    "公租房": "public", "公房": "public", "廉租房": "public", "保障房": "public", "public": "public",
    "其他": "other", "其它": "other", "other": "other",
}  # fmt: skip

BUILDING_USE: Final[dict[str, int | str]] = {
    "住宅": "residential", "居住": "residential", "residential": "residential",
    "宿舍": "dormitory", "集体宿舍": "dormitory", "dormitory": "dormitory",
    "商住": "mixed", "综合": "mixed", "混合": "mixed", "mixed": "mixed",
    "办公": "office", "写字楼": "office", "office": "office",
    "厂房": "factory", "工业": "factory", "factory": "factory", "industrial": "factory",
    "商业": "shop", "商铺": "shop", "shop": "shop", "retail": "shop",
    "公共": "public", "公共设施": "public", "public": "public",
    "其他": "other", "其它": "other", "other": "other",
}  # fmt: skip

STAGE: Final[dict[str, int | str]] = {
    "幼儿园": "kindergarten", "学前": "kindergarten", "kindergarten": "kindergarten",
    "小学": "primary", "primary": "primary",
    "初中": "junior", "junior": "junior",
    "高中": "senior", "中专": "senior", "职高": "senior", "senior": "senior",
    "大学": "higher", "大专": "higher", "高等教育": "higher", "higher": "higher",
}  # fmt: skip

INDUSTRY: Final[dict[str, int | str]] = {
    "农、林、牧、渔业": "A", "采矿业": "B", "制造业": "C", "电力、热力、燃气及水生产和供应业": "D", "建筑业": "E",
    "批发和零售业": "F", "交通运输、仓储和邮政业": "G", "住宿和餐饮业": "H", "信息传输、软件和信息技术服务业": "I",
    "金融业": "J", "房地产业": "K", "租赁和商务服务业": "L", "科学研究和技术服务业": "M",
    "水利、环境和公共设施管理业": "N", "居民服务、修理和其他服务业": "O", "教育": "P", "卫生和社会工作": "Q",
    "文化、体育和娱乐业": "R", "公共管理、社会保障和社会组织": "S", "国际组织": "T",
}  # fmt: skip
