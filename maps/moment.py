"""The day a figure is for: today's state, or the end of a month that is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from maps.errors import OutsideHistoryError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.viewer import Viewer

Basis = Literal["day", "month"]


@dataclass(frozen=True)
class State:
    """What the statistics stand at: their database, day and version."""

    database: str
    as_of: date
    version: str
    first_month: date | None
    last_month: date | None


@dataclass(frozen=True)
class Moment:
    """``as_of``: the day the figures are for; ``month``: first day of the kept month, None for today's figures.

    ``basis``: whether everything is known of that day, or only what is kept of month ends.
    """

    as_of: date
    month: date | None
    basis: Basis = "day"


def state(session: Session, viewer: Viewer) -> State:
    """Day, version and kept months of the statistics that answer ``viewer``."""
    schema = viewer.schema("stats")
    row = session.execute(
        text(
            f"""SELECT current_database() AS database, s.as_of, s.rebuilt_at, s.version,
            pg_current_xact_id_if_assigned() AS own,
            (SELECT min(month) FROM {schema}.kept_month) AS first_month,
            (SELECT max(month) FROM {schema}.kept_month) AS last_month FROM {schema}.state s"""  # noqa: S608
        )
    ).one_or_none()
    if row is None:
        return State("", date.today(), "", None, None)
    # a transaction that has written sees figures that nobody else does: they are kept for it alone
    version = f"{row.version}@{row.rebuilt_at}/{row.own or ''}"
    return State(row.database, row.as_of, version, row.first_month, row.last_month)


def month_end(day: date) -> date:
    """Last day of the month of ``day``.

    >>> month_end(date(2024, 2, 5))
    datetime.date(2024, 2, 29)
    """
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def month_before(day: date) -> date:
    """First day of the month that had ended on or before ``day``.

    >>> month_before(date(2024, 3, 30)), month_before(date(2024, 3, 31))
    (datetime.date(2024, 2, 1), datetime.date(2024, 3, 1))
    """
    if day == month_end(day):
        return day.replace(day=1)
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def moment(stands: State, at: date | None) -> Moment:
    """Which figures answer for the day ``at``: today's on ``as_of``, else the last month ended by then.

    Raises OutsideHistoryError for a day after ``as_of``, or before the first kept month's end.
    """
    if at is None or at == stands.as_of:
        return Moment(stands.as_of, None)
    if at > stands.as_of:
        raise OutsideHistoryError(date=at, first=stands.first_month, last=stands.as_of)
    month = month_before(at)
    if stands.first_month is None or month < stands.first_month:
        raise OutsideHistoryError(date=at, first=stands.first_month, last=stands.as_of)
    if stands.last_month is not None:
        month = min(month, stands.last_month)
    return Moment(month_end(month), month, "month")
