"""What a load shows on a terminal: whole at 80 columns, nothing cut, no log lines, in both languages."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.console import Console

from api.cli.load import summary
from api.loading import Report
from api.words import say
from tests.faults.town import PEOPLE, Town

pytestmark = pytest.mark.faults


def _shown(reports: list[Report], lang: str, width: int) -> list[str]:
    console = Console(width=width, no_color=True, force_terminal=False, highlight=False)
    with console.capture() as captured:
        console.print(summary(reports, lang, width))
    return captured.get().splitlines()


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_nothing_is_cut_at_80_columns_and_nothing_left_out_at_120(lang: str) -> None:
    reports = [
        Report("sub-districts", "areas", "unchanged"),
        Report("people", "persons", "done", 1, 21_456_789, 21_400_000, 56_789, 0, 21_400_000, 0, 1234.5),
    ]
    narrow = _shown(reports, lang, 80)
    assert max(map(cell_len, narrow)) <= 80
    whole = "\n".join(narrow)
    assert "…" not in whole
    for needed in ("21,456,789", "56,789", "sub-districts", say(lang, "load.state.unchanged")):
        assert needed in whole
    assert len(narrow) == 6  # two rows, none of them folded
    wide = "\n".join(_shown(reports, lang, 120))
    for name in (
        "source",
        "state",
        "read",
        "accepted",
        "rejected",
        "unchanged",
        "changed",
        "rate",
        "seconds",
    ):
        assert say(lang, f"load.column.{name}") in wide


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_load_in_its_own_process_says_only_what_concerns_a_person(town: Town, lang: str) -> None:
    done = town.command("load", str(town.toml), lang=lang, columns=80)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for line in done.stdout.splitlines():
        assert cell_len(line) <= 80
    for unwanted in ("places.prepared", "[info", "EPSG:4326", "…"):
        assert unwanted not in done.stdout
    assert f"{PEOPLE}" in done.stdout
    assert town.people_counted_twice() == (PEOPLE, PEOPLE)
