"""Who is looking: decides which schema answers, and what may be kept in memory between two looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Exactness = Literal["duty", "threshold", "public"]


@dataclass(frozen=True)
class Viewer:
    """One way of looking at the city.

    ``exactness`` "duty": exact figures of the viewer's territory, held by row-level security in the database.
    "threshold": the published views, where a personal figure of 0..12 is withheld.
    ``whole_city``: the territory is the whole city, so cells may be read from the ready sums.
    ``scope``: for a limited territory, a text that changes whenever the territory does; figures kept in memory are
    kept under it. Empty means that nothing is kept for this viewer.

    >>> Viewer("threshold").schema("stats")
    'pub'
    """

    exactness: Exactness = "duty"
    whole_city: bool = False
    scope: str = ""

    def schema(self, of: Literal["stats", "geo", "ops"]) -> str:
        """The database schema that answers this viewer in place of ``of``."""
        return of if self.exactness == "duty" else "pub"

    @property
    def sums_visible(self) -> bool:
        """Whether a cell's figure is the sum of the atoms this viewer may see, not the city's ready sum."""
        return self.exactness == "duty" and not self.whole_city

    @property
    def memory_key(self) -> str | None:
        """Key under which figures may be kept in memory; None keeps nothing."""
        if self.exactness != "duty":
            return "published"
        if self.whole_city:
            return "city"
        return f"territory:{self.scope}" if self.scope else None


CITY = Viewer("duty", whole_city=True)
PUBLISHED = Viewer("threshold")
