"""Loads are all or nothing, remembered, and mended: against a real database, killed and cut off on purpose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from sqlalchemy import Engine, text

from db.engine import write_session
from intake.city import Source
from intake.columns import remember_mapping, remembered_mapping
from intake.corrected import CorrectedReader, resolve
from intake.errors import IntakeError, MappingError, SourceError
from intake.masking import mask
from intake.pipeline import Reading, read_validated
from intake.reader import open_source
from intake.rejected import NOTES, export_rejected, rejected_rows
from intake.runs import (
    AlreadyRunning,
    DatabaseGone,
    configuration_of,
    fingerprint,
    loading,
    with_patience,
)
from tests.intake.test_intake_rows import PEOPLE

pytestmark = pytest.mark.filterwarnings("error")
CITY = "990100"
HEAD = "人员编号,身份证号,性别,出生日期,备注\n"
GOOD = "1,11010519491231002X,男,1949-12-31,\n"
WRONG_ID = "110105194912310021"
BAD = f'2,{WRONG_ID},男,1949-12-31,=HYPERLINK("http://x")\n3,,女,2026-02-30,\'+1\n4,,?,x,\n'


def source() -> Source:
    return Source(name="people", kind="persons", file="p.csv")


def load(engine: Engine, path: Path, *, die: BaseException | None = None, actor: str = "steward") -> str:
    """A small honest loader: accepted keys into a table, rejected rows kept, all in one transaction."""
    configuration = configuration_of(source(), {})
    with loading(engine, CITY, source(), [path], actor=actor, configuration=configuration) as run:
        if run.unchanged:
            return "unchanged"
        reading = read_validated(open_source(path), PEOPLE, source())
        with write_session(engine) as session:
            for batch in reading:
                for key in batch.accepted["key"]:
                    session.execute(text("INSERT INTO ops.loaded VALUES (:k)"), {"k": key})
                run.record_rejected(session, batch.rejected)
            if die is not None:
                raise die
            run.finish(session, reading)
    return "done"


@pytest.fixture
def engine(database_engine: Engine) -> Engine:
    with database_engine.begin() as connection:
        connection.execute(text("CREATE TABLE ops.loaded (key text)"))
    return database_engine


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "p.csv"
    path.write_text(HEAD + GOOD + BAD)
    return path


def runs(engine: Engine) -> list[tuple[str, int | None, int | None]]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT state, rows_read, rows_rejected FROM ops.import_run ORDER BY id")
        )
        return [tuple(row) for row in found]


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_run_tells_who_what_and_how_many(engine: Engine, people: Path) -> None:
    assert load(engine, people) == "done"
    with engine.connect() as connection:
        run = connection.execute(text("SELECT * FROM ops.import_run")).mappings().one()
    assert (run["city_code"], run["source"], run["kind"], run["actor"], run["state"]) == (
        CITY, "people", "persons", "steward", "done",
    )  # fmt: skip
    assert (run["rows_read"], run["rows_accepted"], run["rows_rejected"]) == (4, 1, 3)
    assert run["file_sha256"] == fingerprint([people]).sha256
    assert run["file_bytes"] == people.stat().st_size
    assert run["encoding"] == "UTF-8"
    assert run["finished_at"] >= run["started_at"]
    assert run["mapping"]["columns"]["sex"] == "性别"
    assert run["mapping"]["sensitive"] == ["身份证号"]
    assert count(engine, "ops.loaded") == 1


def test_the_same_file_again_changes_nothing_a_newer_one_does(engine: Engine, people: Path) -> None:
    assert [load(engine, people), load(engine, people)] == ["done", "unchanged"]
    assert count(engine, "ops.loaded") == 1
    assert count(engine, "ops.rejected_row") == 3
    people.write_text(HEAD + GOOD)
    assert load(engine, people) == "done"
    people.write_text(HEAD + GOOD + BAD)
    assert load(engine, people) == "done"  # the older content again is a change too
    assert [state for state, _, _ in runs(engine)] == ["done", "unchanged", "done", "done"]


def test_another_configuration_is_not_unchanged() -> None:
    plain = configuration_of(source(), {})
    assert plain == configuration_of(source().model_copy(update={"file": "other.csv"}), {})
    assert plain != configuration_of(source().model_copy(update={"columns": {"key": "x"}}), {})
    assert plain != configuration_of(source(), {"x": "key"})
    assert plain != configuration_of(source(), {}, "areas of 2026-11-23")


def test_a_failed_load_leaves_nothing_but_its_record(engine: Engine, people: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load(engine, people, die=ZeroDivisionError(f"secret {WRONG_ID}"))
    with pytest.raises(SourceError):
        load(engine, people, die=SourceError("source.truncated", file="p.csv", line=3, offset=99))
    with pytest.raises(KeyboardInterrupt):
        load(engine, people, die=KeyboardInterrupt())
    assert count(engine, "ops.loaded") == count(engine, "ops.rejected_row") == 0
    assert [state for state, _, _ in runs(engine)] == ["failed", "refused", "failed"]
    with engine.connect() as connection:
        errors = connection.execute(text("SELECT error FROM ops.import_run ORDER BY id")).scalars().all()
    assert errors[0] == {"code": "run.failed", "kind": "ZeroDivisionError"}
    assert errors[1]["code"] == "source.truncated"
    assert WRONG_ID not in json.dumps(errors)
    assert load(engine, people) == "done"


def test_two_loads_of_one_source_do_not_meet(engine: Engine, people: Path) -> None:
    with loading(engine, CITY, source(), [people], actor="first", configuration="c") as run:
        with pytest.raises(AlreadyRunning) as caught:
            load(engine, people)
        assert (caught.value.params["actor"], caught.value.params["run"]) == ("first", run.id)
    assert load(engine, people) == "done"
    assert [state for state, _, _ in runs(engine)] == ["failed", "done"]


KILLED = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from db.engine import make_engine, write_session
from intake.city import Source
from intake.runs import loading
engine = make_engine(sys.argv[1], pool_size=4)
source = Source(name="people", kind="persons", file="p.csv")
with loading(engine, "990100", source, [Path(sys.argv[2])], actor="doomed", configuration="c") as run:
    with write_session(engine) as session:
        session.execute(text("INSERT INTO ops.loaded SELECT g::text FROM generate_series(1, 50000) g"))
        print("half-way", flush=True)
        time.sleep(600)
"""


@pytest.mark.faults
def test_a_load_killed_half_way_leaves_nothing_and_is_told_by_the_next(
    engine: Engine, database: str, people: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, database, str(people)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path.cwd(),
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "half-way"
    with pytest.raises(AlreadyRunning):
        load(engine, people)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            assert load(engine, people) == "done"
            break
        except AlreadyRunning:  # the server is still letting go of the dead one
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert count(engine, "ops.loaded") == 1
    assert [state for state, _, _ in runs(engine)] == ["failed", "done"]
    with engine.connect() as connection:
        assert connection.execute(
            text("SELECT error FROM ops.import_run ORDER BY id LIMIT 1")
        ).scalar_one() == {"code": "run.killed"}


@pytest.mark.faults
def test_the_database_gone_in_the_middle_is_said_and_the_next_try_succeeds(
    engine: Engine, people: Path
) -> None:
    cut, told = [True], []

    def attempt() -> str:
        with loading(engine, CITY, source(), [people], actor="steward", configuration="c") as run:
            reading = read_validated(open_source(people), PEOPLE, source())
            with write_session(engine) as session:
                session.execute(text("INSERT INTO ops.loaded VALUES ('x')"))
                if cut.pop() if cut else False:
                    _cut_all_connections(engine)
                for batch in reading:
                    run.record_rejected(session, batch.rejected)
                run.finish(session, reading)
        return "done"

    said = with_patience(attempt, waits_s=(0.1, 0.1), tell=lambda gone, wait: told.append(str(gone)))
    assert said == "done"
    assert told == [str(DatabaseGone(source="people"))]
    assert "nothing half-loaded was kept" in told[0]
    assert count(engine, "ops.loaded") == 1
    assert [state for state, _, _ in runs(engine)] == ["failed", "done"]


def _cut_all_connections(engine: Engine) -> None:
    from db.engine import make_engine

    other = make_engine(engine.url, pool_size=1)
    with other.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other.dispose()


def test_patience_ends(engine: Engine) -> None:
    def never() -> str:
        raise DatabaseGone(source="people")

    waits: list[float] = []
    with pytest.raises(DatabaseGone):
        with_patience(never, waits_s=(1, 2), sleep=waits.append)
    assert waits == [1, 2]


def test_a_run_taken_for_dead_cannot_finish(engine: Engine, people: Path) -> None:
    with (
        pytest.raises(IntakeError) as caught,
        loading(engine, CITY, source(), [people], actor="a", configuration="c") as run,
    ):
        with engine.begin() as connection:
            connection.execute(text("UPDATE ops.import_run SET state = 'failed'"))
        reading = read_validated(open_source(people), PEOPLE, source())
        with write_session(engine) as session:
            session.execute(text("INSERT INTO ops.loaded VALUES ('x')"))
            run.finish(session, reading)
    assert caught.value.code == "run.lost"
    assert count(engine, "ops.loaded") == 0


# Rejected rows


def corrected_load(engine: Engine, path: Path) -> tuple[Reading, int]:
    with write_session(engine) as session:
        reader = CorrectedReader(session, path, "people", CITY)
    with loading(
        engine, CITY, source(), [path], actor="steward", configuration="c", corrects=reader.run_id
    ) as run:
        reading = read_validated(reader, PEOPLE, source())
        with write_session(engine) as session:
            for batch in reading:
                for key in batch.accepted["key"]:
                    session.execute(text("INSERT INTO ops.loaded VALUES (:k)"), {"k": key})
                run.record_rejected(session, batch.rejected)
            done = resolve(session, reader, run.id)
            run.finish(session, reading)
    return reading, done


def test_rejected_rows_go_out_are_corrected_and_come_back(
    engine: Engine, people: Path, tmp_path: Path
) -> None:
    load(engine, people)
    path = tmp_path / "rejected.xlsx"
    with write_session(engine) as session:
        assert export_rejected(session, 1, path, "zh-CN", reveal=False) == 3
    book = openpyxl.load_workbook(path)
    sheet = book["rejected"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0] == [*NOTES, "人员编号", "身份证号", "性别", "出生日期", "备注"]
    assert [row[1] for row in rows[1:]] == ["3", "4", "5"]
    assert rows[1][3] == "身份证号校验码错误。"
    assert "出生日期" not in rows[1][3]
    assert rows[1][5] == mask(WRONG_ID)
    assert rows[1][8] == '\'=HYPERLINK("http://x")'
    assert rows[2][8] == "''+1"
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    yellow = [
        cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.fgColor.rgb == "FFFFE08A"
    ]
    assert yellow == ["F2", "H3", "G4", "H4"]
    sheet["F2"] = "11010519491231002X"
    sheet["H3"] = "2026-02-28"
    sheet["G4"] = "男"  # its date stays wrong
    book.save(path)
    reading, done = corrected_load(engine, path)
    assert (reading.rows_read, reading.rows_accepted, reading.rows_rejected, done) == (3, 2, 1, 3)
    with engine.connect() as connection:
        left = connection.execute(
            text(
                "SELECT run_id, line, field, reason, \"row\"->>'备注' FROM ops.rejected_row"
                " WHERE corrected_run_id IS NULL"
            )
        ).all()
        notes = (
            connection.execute(text("SELECT \"row\"->>'备注' FROM ops.rejected_row ORDER BY id"))
            .scalars()
            .all()
        )
    assert [tuple(row) for row in left] == [(2, 5, "born", "not_a_date", None)]
    assert notes[:2] == ['=HYPERLINK("http://x")', "'+1"]
    with pytest.raises(SourceError) as caught:
        corrected_load(engine, path)  # these rows have been taken up already
    assert caught.value.code == "corrected.unknown_rows"


def test_a_masked_cell_left_alone_keeps_what_it_had(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEAD + "9,11010519491231002X,?,1949-12-31,见11010519491231002X\n")
    load(engine, path)
    made = tmp_path / "r.xlsx"
    with write_session(engine) as session:
        export_rejected(session, 1, made, "en", reveal=False)
    book = openpyxl.load_workbook(made)
    assert book["rejected"]["F2"].value == "110105**********2X"
    assert book["rejected"]["I2"].value == "见110105**********2X"
    book["rejected"]["G2"] = "女"
    book.save(made)
    with write_session(engine) as session:
        reader = CorrectedReader(session, made, "people", CITY)
    batch = next(iter(read_validated(reader, PEOPLE, source())))
    assert batch.accepted.select("id_number", "sex", "note", "__line").rows() == [
        ("11010519491231002X", 2, "见11010519491231002X", 2)
    ]


def test_views_mask_what_is_sensitive_wherever_it_stands(engine: Engine, people: Path) -> None:
    load(engine, people)
    with write_session(engine) as session:
        masked = list(rejected_rows(session, 1, reveal=False))
        whole = list(rejected_rows(session, 1, reveal=True, limit=1))
    assert masked[0].value == mask(WRONG_ID) != whole[0].value == WRONG_ID
    assert WRONG_ID not in repr(masked)
    assert masked[2].words("en").splitlines()[1].startswith("born: ")


def test_foreign_files_are_not_taken_for_corrections(engine: Engine, people: Path, tmp_path: Path) -> None:
    load(engine, people)
    book = openpyxl.Workbook()
    book.active.append(["id"])
    book.active.append([1])
    book.save(tmp_path / "x.xlsx")
    with write_session(engine) as session, pytest.raises(SourceError) as caught:
        CorrectedReader(session, tmp_path / "x.xlsx", "people", CITY)
    assert caught.value.code == "corrected.not_ours"
    with write_session(engine) as session:
        export_rejected(session, 1, tmp_path / "r.xlsx", "en", reveal=True)
        with pytest.raises(SourceError) as caught:
            CorrectedReader(session, tmp_path / "r.xlsx", "homes", CITY)
    assert caught.value.code == "corrected.other_source"
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    book["rejected"]["A2"] = "12345"
    book.save(tmp_path / "r.xlsx")
    with write_session(engine) as session, pytest.raises(SourceError) as caught:
        CorrectedReader(session, tmp_path / "r.xlsx", "people", CITY)
    assert (caught.value.code, caught.value.params["line"]) == ("corrected.unknown_rows", 2)


def test_what_a_person_corrected_about_columns_is_remembered(engine: Engine, tmp_path: Path) -> None:
    with write_session(engine) as session:
        remember_mapping(session, CITY, "people", {"编码": "key", "性别": ""}, set_by="wang", schema=PEOPLE)
        remember_mapping(session, CITY, "people", {"新编码": "key"}, set_by="li", schema=PEOPLE)
        assert remembered_mapping(session, CITY, "people") == {"新编码": "key", "性别": ""}
        assert remembered_mapping(session, CITY, "homes") == {}
        remember_mapping(session, CITY, "people", {"性别": None}, set_by="li", schema=PEOPLE)
        assert remembered_mapping(session, CITY, "people") == {"新编码": "key"}
        for wrong in ({"a": "nope"}, {"a": "sex", "b": "sex"}):
            with pytest.raises(MappingError):
                remember_mapping(session, CITY, "people", wrong, set_by="li", schema=PEOPLE)
    (tmp_path / "p.csv").write_text("新编码,性别\n7,男\n")
    with write_session(engine) as session:
        known = remembered_mapping(session, CITY, "people")
    reading = read_validated(open_source(tmp_path / "p.csv"), PEOPLE, source(), known)
    assert pl.concat([batch.accepted for batch in reading])["key"].to_list() == ["7"]


def test_many_rejected_rows_are_kept_all(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(HEAD + "x,,男,,a\0b\n" + "".join(f"{i},,?,1990-01-01,\n" for i in range(20_000)))
    load(engine, path)
    assert count(engine, "ops.rejected_row") == 20_001
    assert runs(engine) == [("done", 20_001, 20_001)]
