"""The ORM rows against the tables the migrations made."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, inspect
from sqlalchemy.orm import Session

from population.register.tables import Base


def test_models_and_migrations_agree(session: Session) -> None:
    found = inspect(session.connection())
    assert {t.name for t in Base.metadata.tables.values()} == set(found.get_table_names(schema="register"))
    for table in Base.metadata.tables.values():
        columns = {c["name"]: c for c in found.get_columns(table.name, schema="register")}
        assert set(columns) == set(table.columns.keys()), table.name
        for column in table.columns:
            real = columns[column.name]
            kind = column.type.compile(session.connection().dialect)
            assert kind == real["type"].compile(session.connection().dialect), column
            assert column.nullable == real["nullable"], column
            said = column.server_default.arg.text if column.server_default is not None else None  # type: ignore[attr-defined]
            assert said == real["default"] or column.name == "id", column
        keys = {
            (fk["constrained_columns"][0], fk["referred_table"])
            for fk in found.get_foreign_keys(table.name, schema="register")
        }
        ours = {
            (c.column_keys[0], next(iter(c.elements)).target_fullname.split(".")[1])
            for c in table.constraints if isinstance(c, ForeignKeyConstraint)
        }  # fmt: skip
        assert keys == ours, table.name
        unique = {
            tuple(u["column_names"]) for u in found.get_unique_constraints(table.name, schema="register")
        }
        assert unique == {
            tuple(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)
        }
