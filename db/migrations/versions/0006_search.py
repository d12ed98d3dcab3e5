"""Finding a person: names in pinyin and their near misses, telephone tails by keyed hash, where they live now."""

import tomllib
from pathlib import Path

import opencc
from alembic import op
from pypinyin import Style, pinyin
from pypinyin.constants import PINYIN_DICT

from db.migrations import access

revision = "0006"
down_revision = "0005"

SQL = Path(__file__).parents[1] / "sql"
REGISTER = Path(__file__).parents[3] / "population" / "register"

TABLES = """
CREATE TABLE register.reading (piece text COLLATE "C" PRIMARY KEY, simple text NOT NULL, pinyin text NOT NULL,
  surname text);
CREATE TABLE register.person_search (person_id uuid PRIMARY KEY, name text, folded text COLLATE "C",
  fuzzy text COLLATE "C", initials text COLLATE "C", given_key integer, outer_key integer, phone_tail integer,
  phone_key bigint, community_id bigint, grid_id bigint, building_id bigint, dwelling_id bigint, until date);
CREATE TABLE register.search_due (person_id uuid PRIMARY KEY);
"""

# Every operator on these columns is leakproof (equality and order), so the policies of rows leave the indexes usable.
INDEXES = """
CREATE INDEX person_search_grid_id ON register.person_search (grid_id);
CREATE INDEX person_search_folded ON register.person_search (folded, community_id);
CREATE INDEX person_search_fuzzy ON register.person_search (fuzzy, community_id);
CREATE INDEX person_search_initials ON register.person_search (initials, community_id);
CREATE INDEX person_search_given ON register.person_search (given_key, community_id);
CREATE INDEX person_search_outer ON register.person_search (outer_key, community_id) WHERE outer_key IS NOT NULL;
CREATE INDEX person_search_tail ON register.person_search (phone_tail, community_id) WHERE phone_tail IS NOT NULL;
CREATE INDEX person_search_building ON register.person_search (building_id);
CREATE INDEX building_words ON register.building
  USING gin ((coalesce(name, '') || ' ' || coalesce(address, '')) gin_trgm_ops);
"""


def _readings() -> list[str]:
    simple, rows = opencc.OpenCC("t2s"), {}
    for code in PINYIN_DICT:
        char = chr(code)
        short = simple.convert(char)
        read = pinyin(char, style=Style.NORMAL, errors="default")[0][0]
        rows[char] = [char, short if len(short) == 1 else char, read, None]
    known = tomllib.loads((REGISTER / "surnames.toml").read_text("utf-8"))["surnames"]
    for piece, read in known.items():
        rows.setdefault(piece, [piece, piece, read.replace(" ", ""), None])[3] = read
    return ["\t".join(r"\N" if cell is None else cell for cell in row) + "\n" for row in rows.values()]


def upgrade() -> None:
    op.execute(TABLES)
    conn = op.get_bind().connection.driver_connection
    assert conn is not None
    with conn.cursor() as cursor, cursor.copy("COPY register.reading FROM STDIN") as copy:
        for line in _readings():
            copy.write(line)
    op.execute("ANALYZE register.reading")
    op.execute(INDEXES)
    # past SQLAlchemy, to which a colon means a parameter
    for name in ("search_keys", "search_follow"):
        conn.execute((SQL / f"{name}.sql").read_text("utf-8"))
    current = "(until IS NULL OR until > current_date)"
    for statement in access.policies("register.person_search", f"{current} AND ({access.BY_PLACE})"):
        op.execute(statement)
    for table in ("reading", "search_due"):
        for statement in access.policies(f"register.{table}", "false"):
            op.execute(statement)
    op.execute("REVOKE ALL ON register.reading, register.person_search, register.search_due FROM PUBLIC")
    op.execute("GRANT SELECT ON register.person_search TO hexward_app")
    op.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA register FROM PUBLIC")
    op.execute(
        "GRANT EXECUTE ON FUNCTION register.find_buildings(text[], text, integer), register.sealed(uuid[]) "
        "TO hexward_app"
    )
    # a city that is there already is made searchable by the next load, in columns
    op.execute(
        """UPDATE ops.city SET config = jsonb_set(config, '{pending}',
             coalesce(config -> 'pending', '{}') || '{"search": true}')
           WHERE EXISTS (SELECT FROM register.residence)"""
    )


def downgrade() -> None:
    for trigger, table in (("1", "residence"), ("2", "residence"), ("3", "residence"), ("2", "person")):
        op.execute(f"DROP TRIGGER search_{trigger} ON register.{table}")
    for name in ("person_search", "search_due", "reading"):
        op.execute(f"DROP TABLE register.{name} CASCADE")
