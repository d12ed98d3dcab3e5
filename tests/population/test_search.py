"""Finding people: every way of asking, every slip of the finger, in a real database."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import psycopg
import pytest
from pypinyin.constants import PINYIN_DICT
from sqlalchemy import Engine, text

from api import signin
from db.engine import make_engine, raw_copy, read_session, write_session
from population.register import search, searchable
from population.register.identity import vault
from population.register.names import Keys
from population.register.tables import PersonSearch
from tests.small_city import SmallCity, owner, small_city, small_city_template

__all__ = ["owner", "small_city", "small_city_template"]

PEOPLE = {  # name: (grid, telephone); grids 0 and 1 are the officer's, 0 to 3 the manager's
    "王小明": (0, "13800138000"), "张伟": (0, "13912345678"), "歐陽娜娜": (1, "13700001111"), "李䶮": (0, None),
    "陈𬭎": (1, None), "赵㛃": (0, None), "Anna Müller": (0, "4917012345678"), "阿依古丽·买买提": (1, None),
    "单雄信": (0, None), "诸葛明": (1, None), "吕绿": (0, None), "张玮": (2, None), "王小敏": (3, None),
    "秦琼": (5, "13800138000"), "王晓明": (6, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def people(small_city_template: SmallCity) -> Any:
    """The small city with people of known names, filled in bulk; read only."""
    from db import testing

    name = small_city_template.url.rsplit("/", 1)[1].split("?")[0]
    url = testing.create_clone(name)
    city = SmallCity(**{**vars(small_city_template), "url": url})
    engine = make_engine(url, pool_size=2)
    with write_session(engine) as session:
        settle(raw_copy(session), city)
    yield city, engine
    engine.dispose()
    testing.drop(url)


def settle(conn: psycopg.Connection[Any], city: SmallCity) -> None:
    """Give ``PEOPLE`` homes, by single rows as an act would; addresses for the buildings."""
    conn.execute(
        "UPDATE register.building SET name = '锦绣花园' || right(key, 1) || '号楼',"
        " address = '文昌路' || right(key, 1) || '号锦绣花园' || right(key, 1) || '号楼'"
    )
    for number, (name, (grid, phone)) in enumerate(PEOPLE.items()):
        sealed = vault().protect_phones(pl.Series([phone], dtype=pl.String)).to_list()[0]
        number_enc = vault().protect(pl.Series(["11010519491231002X"]))["enc"].to_list()[0]
        conn.execute(
            "INSERT INTO register.dwelling (key, building_id, unit, floor, room, cell) "
            "SELECT %s, id, '2', '5', %s, cell FROM register.building WHERE key = %s",
            (f"S{number}", str(501 + number), f"B{grid}"),
        )
        conn.execute(
            "INSERT INTO register.person (key, name, sex, birth_date, phone_enc, id_number_enc)"
            " VALUES (%s, %s, 1, '1985-03-04', %s, %s)",
            (f"S{number}", name, sealed, number_enc),
        )
        conn.execute(
            "INSERT INTO register.residence (person_id, dwelling_id, status, valid_from, cell)"
            " SELECT p.id, d.id, 'floating', '2021-01-01', d.cell FROM register.person p, register.dwelling d"
            " WHERE p.key = %s AND d.key = %s",
            (f"S{number}", f"S{number}"),
        )
    searchable.catch_up(conn)


class Asker:
    """Asks as an account of the small city, through the role with row-level security."""

    def __init__(self, city: SmallCity, engine: Engine, role: str) -> None:
        with write_session(engine) as session:
            self.hash = signin.token_hash(signin.open_session(session, city.users[role], 1))
        self.engine = make_engine(city.address("app"), pool_size=1)

    def close(self) -> None:
        self.engine.dispose()

    def found(self, query: str, limit: int = 20) -> search.Found:
        with read_session(self.engine) as session:
            session.execute(text("SELECT * FROM ops.enter(:hash, 3600)"), {"hash": self.hash})
            return search.search(session, query, limit, date(2026, 11, 24))

    def names(self, query: str, limit: int = 20) -> list[str]:
        return [hit["name"] for hit in self.found(query, limit).hits]


@pytest.fixture(scope="module")
def officer(people: Any) -> Any:
    made = Asker(*people, "officer")
    yield made
    made.close()


@pytest.fixture(scope="module")
def manager(people: Any) -> Any:
    made = Asker(*people, "manager")
    yield made
    made.close()


@pytest.fixture(scope="module")
def steward(people: Any) -> Any:
    made = Asker(*people, "steward")
    yield made
    made.engine.dispose()


@pytest.mark.parametrize(
    ("query", "name", "matched"),
    [
        ("王小明", "王小明", "name"), ("王小", "王小明", "name"), ("wangxiaoming", "王小明", "pinyin"),
        ("Wáng Xiǎomíng", "王小明", "pinyin"), ("wang2 xiao3ming2", "王小明", "pinyin"), ("wxm", "王小明", "initials"),
        ("wangxiaomin", "王小明", "similar_sound"), ("wanxiaoming", "王小明", "similar_sound"),
        ("wagnxiaoming", "王小明", "similar"), ("wangxaoming", "王小明", "similar"),
        ("wangxiaomimg", "王小明", "similar"),
        ("王晓明", "王小明", "pinyin"), ("王大明", "王小明", "similar"), ("汪小明", "王小明", "pinyin"),
        ("李小明", "王小明", "similar"), ("小王明", "王小明", "similar"), ("王明", "王小明", "similar"),
        ("王王小明", "王小明", "similar"),
        ("张玮", "张伟", "pinyin"), ("張偉", "张伟", "name"), ("zangwei", "张伟", "similar_sound"),
        ("张w", "张伟", "pinyin"), ("欧阳娜娜", "歐陽娜娜", "name"), ("歐陽娜", "歐陽娜娜", "name"),
        ("ouyanglala", "歐陽娜娜", "similar_sound"),
        ("李䶮", "李䶮", "name"), ("liyan", "李䶮", "pinyin"), ("陈𬭎", "陈𬭎", "name"), ("chenhong", "陈𬭎", "pinyin"),
        ("赵㛃", "赵㛃", "name"), ("zhaojie", "赵㛃", "pinyin"), ("anna muller", "Anna Müller", "name"),
        ("MÜLLER Anna", "Anna Müller", "similar"), ("muller", "Anna Müller", "similar"),
        ("ana muller", "Anna Müller", "similar"),
        ("阿依古丽买买提", "阿依古丽·买买提", "name"), ("阿依古丽", "阿依古丽·买买提", "name"),
        ("shanxiongxin", "单雄信", "pinyin"),
        ("zhugeming", "诸葛明", "pinyin"), ("lvlv", "吕绿", "pinyin"), ("lulu", "吕绿", "similar_sound"),
        ("8000", "王小明", "phone"), ("138000", "王小明", "phone"), ("13800138000", "王小明", "phone"),
        ("+86 138-0013-8000", "王小明", "phone"), ("王小明 8000", "王小明", "name"), ("wxm 8000", "王小明", "initials"),
        ("王小明 1985", "王小明", "name"), ("0栋2单元501", "王小明", "address"), ("0-2-501", "王小明", "address"),
        ("锦绣花园0号楼501室", "王小明", "address"),
        ("文昌路0号", "王小明", "address"), ("锦秀花园0号楼2单元501", "王小明", "address"),
        ("王小明 锦绣花园", "王小明", "name"), ("张伟 0-2-502", "张伟", "name"),
    ],
)  # fmt: skip
def test_a_person_is_found(officer: Asker, query: str, name: str, matched: str) -> None:
    hits = {hit["name"]: hit for hit in officer.found(query, 50).hits}
    assert name in hits, list(hits)
    if matched != "pinyin":  # alike letters may be called the sound or the same
        assert hits[name]["matched"] == matched


def test_the_nearest_come_first(manager: Asker) -> None:
    assert manager.names("王小敏")[:2] == ["王小敏", "王小明"]
    assert manager.names("zhangwei")[:2] == ["张伟", "张玮"]
    assert manager.names("张玮", 1) == ["张玮"]


def test_a_hit_says_what_an_officer_needs_and_hides_numbers(officer: Asker, people: Any) -> None:
    (hit,) = officer.found("王小明", 1).hits
    assert hit["phone"] == "*******8000"
    assert hit["id_number"] == "110105**********2X"
    assert (hit["age"], hit["sex"], hit["status"]) == (41, 1, "floating")
    assert hit["address"] == "文昌路0号锦绣花园0号楼 2-501"
    assert hit["grid"]["id"] == str(people[0].grids[0])


def test_the_territory_is_the_limit(officer: Asker, manager: Asker, steward: Asker) -> None:
    for query in (
        "王晓明",
        "wangxiaoming",
        "wxm",
        "秦琼",
        "13800138000",
        "8000",
        "qq",
        "文昌路5号",
        "锦绣花园",
        "5-2-514",
    ):
        inside = set(officer.names(query, 50))
        assert not inside & {"王晓明", "秦琼", "王小敏", "张玮"}, query
        assert not set(manager.names(query, 50)) & {"王晓明", "秦琼"}, query
    assert officer.found("秦琼").buildings == []
    assert steward.names("秦琼") == ["秦琼"]
    assert {b["name"] for b in officer.found("锦绣花园").buildings} == {"锦绣花园0号楼", "锦绣花园1号楼"}


@pytest.mark.parametrize(
    "query", ["", " ", "\x00", "%", "_", "'; DROP TABLE register.person;--", "x" * 5000, "𬭎" * 90, "\ud83d\ude00",
              "(" * 50, "1" * 300, "0", "-", "３栋", "<script>"],
)  # fmt: skip
def test_anything_may_be_typed(steward: Asker, query: str) -> None:
    found = steward.found(query)
    assert found.more in (True, False)
    assert steward.names("秦琼") == ["秦琼"]


def test_acts_are_found_at_once_and_the_bulk_way_says_the_same(
    people: Any, small_city: SmallCity, owner: Engine
) -> None:
    """Rows kept by triggers against the table filled anew; a move, a new name, a new telephone, a death."""
    with write_session(owner) as session:
        conn = raw_copy(session)
        settle(conn, small_city)
        home = conn.execute("SELECT id FROM register.dwelling WHERE key = 'S13'").fetchone()
        conn.execute(
            "UPDATE register.residence SET valid_to = current_date FROM register.person p"
            " WHERE p.id = person_id AND p.key = 'S0'"
        )
        conn.execute(
            "INSERT INTO register.residence (person_id, dwelling_id, status, valid_from, cell)"
            " SELECT id, %s, 'floating', current_date, 1 FROM register.person WHERE key = 'S0'",
            home,
        )
        conn.execute("UPDATE register.person SET name = '张微' WHERE key = 'S1'")
        phone = vault().protect_phones(pl.Series(["13600009999"])).to_list()[0]
        conn.execute("UPDATE register.person SET phone_enc = %s WHERE key = 'S2'", (phone,))
        conn.execute("UPDATE register.person SET phone_enc = NULL WHERE key = 'S6'")
        conn.execute("UPDATE register.person SET valid_to = current_date WHERE key = 'S8'")
        searchable.catch_up(conn)
    columns = ", ".join(PersonSearch.__table__.columns.keys())
    with write_session(owner) as session:
        conn = raw_copy(session)
        kept = set(conn.execute(f"SELECT {columns} FROM register.person_search").fetchall())
        count = searchable.fill(conn)
        assert count == searchable.fill(conn) == len(kept)
        assert set(conn.execute(f"SELECT {columns} FROM register.person_search").fetchall()) == kept
        assert conn.execute("SELECT count(*) FROM register.search_due").fetchone() == (0,)
    asker = Asker(small_city, owner, "officer")
    assert "王小明" not in asker.names("王小明")
    assert asker.names("张微")[0] == "张微"
    assert asker.names("9999") == ["歐陽娜娜"]
    assert asker.names("单雄信") == []
    asker.close()


def test_the_database_computes_the_same_keys(session: Any) -> None:
    names = ["", ".", "A李B", "Ōe　Kenzaburō", "ü李", "王〇", "區小姐", "尉迟", "尉迟恭", "한국", *PEOPLE]
    names += [chr(code) + "明" for code in list(PINYIN_DICT)[::200]]
    for name in names:
        row = session.execute(text("SELECT * FROM register.name_keys(:n)"), {"n": name}).one()
        assert tuple(row) == tuple(vars(Keys.of(name)).values()), name
