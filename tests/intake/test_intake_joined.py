"""A key made of several columns."""

from __future__ import annotations

import pytest

from intake.city import Source
from intake.errors import MappingError
from intake.joined import JoinedReader
from intake.pipeline import read_validated
from intake.reader import open_source
from intake.schema import Field, Schema

LOTS = Schema("buildings", (Field("key", required=True), Field("units", "int")), key=("key",))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lots.csv"
    path.write_text("borough,block,lot,units\nMN, 12 ,3,5\nMN,12,4,6\nMN,,5,7\nMN,12,3,5\n", encoding="utf-8")
    return path


def read(file, repeated="reject"):
    source = Source(name="lots", kind="buildings", file="-", columns={"key": "bbl"}, repeated=repeated)
    with JoinedReader(open_source(file), {"bbl": ["borough", "block", "lot"]}) as reader:
        assert reader.headers == ["borough", "block", "lot", "units", "bbl"]
        return list(read_validated(reader, LOTS, source))


def test_parts_are_joined_in_order_and_an_empty_part_makes_no_key(file):
    (batch,) = read(file)
    assert batch.accepted.select("key", "units").rows() == [("MN-12-3", 5), ("MN-12-4", 6)]
    assert batch.rejected.select("line", "reason").rows() == [(4, "required_missing"), (5, "duplicate_key")]


def test_repeated_keys_pass_where_the_source_keeps_them(file):
    (batch,) = read(file, repeated="keep")
    assert batch.accepted["key"].to_list() == ["MN-12-3", "MN-12-4", "MN-12-3"]


def test_a_part_that_is_no_column_is_named(file):
    with open_source(file) as inner, pytest.raises(MappingError) as caught:
        JoinedReader(inner, {"bbl": ["borough", "blok"]})
    assert "blok" in str(caught.value)
