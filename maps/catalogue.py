"""The catalogue of layers: every indicator, and every variable of a loaded public table of counts by area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from maps import currency
from maps.areal import ArealVariable
from maps.errors import UnknownLayerError
from maps.figures import AREA, MONTHLY
from population.statistics import indicators

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from maps.viewer import Exactness, Viewer

Words = dict[str, str]

AREAL_GROUP: Final = "areal"
_AREAL_TITLE: Final = {"zh": "公开统计表", "en": "Published tables"}
_AREAL_DEFINITION: Final = {
    "zh": "{name}（{period}）：按区域公布的计数，以住房或居住用地为权重分配到单元，各区域合计不变。",
    "en": "{name} ({period}): published by area, spread over cells by dwellings or residential land;"
    " every area keeps its total.",
}


@dataclass(frozen=True)
class Layer:
    """One figure that can be drawn.

    Its value is ``factor * sum(above) / sum(below)``, or ``factor * sum(above)`` with no ``below``; ``areal`` names
    the variable of a public table instead. Words are {"zh", "en"}.
    """

    id: str
    group: str
    title: Words
    unit: Words
    definition: Words
    source: Words
    kind: indicators.Kind
    personal: bool
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    factor: float = 1.0
    areal: ArealVariable | None = None

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the figures that the formula needs."""
        return tuple(dict.fromkeys((*self.above, *self.below)))

    @property
    def has_history(self) -> bool:
        """Whether month ends are kept for every part of the formula."""
        return self.areal is None and all(c in MONTHLY or c == AREA for c in self.columns)

    @property
    def blank_zero(self) -> bool:
        """Whether a zero means that there is nothing there: counts and densities, not shares."""
        return self.kind in {"count", "density"}

    def exactness(self, viewer: Viewer) -> Exactness:
        """What the viewer gets of it."""
        return viewer.exactness if self.personal else "public"

    def as_json(self, viewer: Viewer) -> dict[str, Any]:
        """The layer as the catalogue of the API states it."""
        return {
            "id": self.id,
            "group": self.group,
            "title": self.title,
            "unit": self.unit,
            "definition": self.definition,
            "source": self.source,
            "kind": self.kind,
            "personal": self.personal,
            "exactness": self.exactness(viewer),
            "has_history": self.has_history,
        }


@dataclass(frozen=True)
class Catalogue:
    """All layers by id, in the order they are listed, and the groups they are listed under."""

    groups: tuple[tuple[str, Words], ...]
    layers: dict[str, Layer]

    def layer(self, layer_id: str) -> Layer:
        """The layer of that id. Raises UnknownLayerError."""
        found = self.layers.get(layer_id)
        if found is None:
            raise UnknownLayerError(layer=layer_id)
        return found

    def as_json(self, viewer: Viewer) -> dict[str, Any]:
        """The catalogue as the API states it."""
        return {
            "groups": [{"id": name, "title": title} for name, title in self.groups],
            "layers": [layer.as_json(viewer) for layer in self.layers.values()],
        }


@cache
def indicator_layers() -> dict[str, Layer]:
    """The layers every city has: counts, then ratios, in the order of the groups."""
    source = {group.id: group.source for group in indicators.groups()}
    order = {group.id: i for i, group in enumerate(indicators.groups())}
    found = [
        *(_count(c, source) for c in indicators.counts()),
        *(_ratio(r, source) for r in indicators.ratios()),
    ]
    return {layer.id: layer for layer in sorted(found, key=lambda layer: order[layer.group])}


def _count(count: indicators.Count, source: dict[str, Words]) -> Layer:
    return Layer(
        count.id, count.group, count.title, count.unit, count.definition, source[count.group],
        count.kind, count.personal, above=(count.id,),
    )  # fmt: skip


def _ratio(ratio: indicators.Ratio, source: dict[str, Words]) -> Layer:
    return Layer(
        ratio.id, ratio.group, ratio.title, ratio.unit, ratio.definition, source[ratio.group],
        ratio.kind, ratio.personal, above=ratio.numerator, below=ratio.denominator, factor=ratio.factor,
    )  # fmt: skip


def catalogue(session: Session, viewer: Viewer) -> Catalogue:
    """Everything that can be drawn of the loaded city."""
    groups = [(group.id, group.title) for group in indicators.groups()]
    layers = indicator_layers()
    if viewer.exactness == "duty":
        groups.append((currency.GROUP, currency.GROUP_TITLE))
        layers = {**layers, **currency_layers()}
    areal = _areal_layers(session, viewer)
    if not areal:
        return Catalogue(tuple(groups), layers)
    return Catalogue((*groups, (AREAL_GROUP, _AREAL_TITLE)), {**layers, **areal})


@cache
def currency_layers() -> dict[str, Layer]:
    """How current the register is: for those on duty, in their territory."""
    return {
        name: Layer(
            name, currency.GROUP, told["title"], told["unit"], told["definition"], currency.SOURCE, "share",
            personal=True, above=told["above"], below=told["below"], factor=100.0,
        )
        for name, told in currency.LAYERS.items()
    }  # fmt: skip


def _areal_layers(session: Session, viewer: Viewer) -> dict[str, Layer]:
    rows = session.execute(
        text(
            "SELECT id, source, name, unit, period, level, variables"  # noqa: S608
            f" FROM {viewer.schema('stats')}.areal_table ORDER BY id"
        )
    ).all()
    found: dict[str, Layer] = {}
    for row in rows:
        for variable in row.variables:
            layer_id = f"areal:{variable['id']}"
            if layer_id in found:
                layer_id = f"areal:{row.source}.{variable['id']}"
            found[layer_id] = _areal_layer(layer_id, row, variable)
    return found


def _areal_layer(layer_id: str, row: Any, variable: dict[str, Any]) -> Layer:
    title = _words(variable.get("name"), variable["id"])
    source = _words(row.name, row.source)
    told = {"period": row.period or ""}
    return Layer(
        layer_id,
        AREAL_GROUP,
        title,
        _words(variable.get("unit") or row.unit, ""),
        {k: _AREAL_DEFINITION[k].format(name=source[k], **told) for k in ("zh", "en")},
        source,
        "count",
        personal=False,
        areal=ArealVariable(row.id, variable["id"], row.level),
    )


def _words(given: Words | None, otherwise: str) -> Words:
    """Both languages, one standing in for the other."""
    given = given or {}
    return {
        "zh": given.get("zh") or given.get("en") or otherwise,
        "en": given.get("en") or given.get("zh") or otherwise,
    }
