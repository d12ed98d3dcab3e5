"""A folium map that opens without any network: everything it needs is inside the one file.

folium's own map asks for fifteen files from four other servers; this one carries the only library it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import folium
import orjson
from branca.element import Element, MacroElement
from jinja2 import Template

from maps import assets

if TYPE_CHECKING:
    from collections.abc import Sequence


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: no text in it can end the element.

    >>> script_json({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    told = orjson.dumps(value).decode()
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class OneFileMap(folium.Map):
    """A folium map with the library inside and no other server in it."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012 - as folium declares it
    default_css: list[tuple[str, str]] = []  # noqa: RUF012

    def __init__(self, bounds: Sequence[float], title: str, ground: str) -> None:
        """``bounds``: west, south, east, north in degrees; ``ground``: colour behind everything."""
        west, south, east, north = bounds
        super().__init__(
            location=[(south + north) / 2, (west + east) / 2],
            tiles=None,
            prefer_canvas=True,
            attribution_control=False,
        )
        self.fit_bounds([[south, west], [north, east]])
        header = self.get_root().header  # type: ignore[attr-defined]
        header.add_child(Element(f"<title>{_escaped(title)}</title>"), name="title")
        header.add_child(Element(f"<style>{assets.stylesheet()}</style>"), name="leaflet_css")
        header.add_child(Element(f"<script>{assets.script()}</script>"), name="leaflet_js")
        header.add_child(
            Element(f"<style>.leaflet-container{{background:{ground}}}{_STYLE}</style>"), name="style"
        )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_STYLE: Final = """
.leaflet-container { font: 13px/1.4 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC",
  "WenQuanYi Micro Hei", sans-serif; }
.hx-legend { background: rgba(255,255,255,.94); color: #222; padding: 10px 12px; border-radius: 4px;
  border: 1px solid #cfcfca; max-width: 260px; }
.hx-legend h1 { font-size: 14px; margin: 0 0 2px; } .hx-legend p { margin: 0 0 6px; color: #555; font-size: 12px; }
.hx-legend div { display: flex; align-items: center; gap: 8px; line-height: 20px; white-space: nowrap; }
.hx-legend i { width: 22px; height: 14px; border: 1px solid rgba(0,0,0,.15); flex: none; }
.hx-legend i.hatch { background: repeating-linear-gradient(135deg, #9b9b97 0 1.5px, #eee 1.5px 5px); }
.hx-legend span { font-variant-numeric: tabular-nums; }
.hx-legend small { margin-left: auto; padding-left: 12px; color: #777; }
.hx-label { background: none; border: 0; box-shadow: none; color: #4a4a48; font-weight: 500; font-size: 12px;
  text-shadow: 0 0 3px #fff, 0 0 3px #fff, 0 0 3px #fff; }
.hx-label:before { display: none; }
"""


class Ground(MacroElement):
    """The city below the data: land use in quiet greys, borders and names of areas."""

    _template = Template(
        """{% macro script(this, kwargs) %}
        (function (map, ground) {
          map.createPane("hx-ground").style.zIndex = 250;
          var renderer = L.canvas({ pane: "hx-ground" });
          ground.fills.forEach(function (f) {
            L.polygon(f.rings, { renderer: renderer, pane: "hx-ground", stroke: false, interactive: false,
              fillColor: f.color, fillOpacity: 1 }).addTo(map);
          });
          ground.roads.forEach(function (r) {
            L.polyline(r.line, { renderer: renderer, pane: "hx-ground", interactive: false, color: "#fff",
              weight: r.width }).addTo(map);
          });
          map.createPane("hx-borders").style.zIndex = 450;
          map.getPane("hx-borders").style.pointerEvents = "none";
          var lines = L.canvas({ pane: "hx-borders" });
          ground.borders.forEach(function (b) {
            L.polygon(b.rings, { renderer: lines, pane: "hx-borders", fill: false, interactive: false,
              color: "#6d6d69", weight: b.weight, opacity: 0.7 }).addTo(map);
          });
          var names = L.layerGroup();
          ground.names.forEach(function (n) {
            L.tooltip({ permanent: true, direction: "center", className: "hx-label", pane: "hx-borders",
              interactive: false }).setLatLng(n.at).setContent(document.createTextNode(n.text)).addTo(names);
          });
          function show() {
            if (map.getZoom() < {{ this.names_from }}) { names.remove(); return; }
            names.addTo(map);
            var placed = [];
            names.eachLayer(function (n) {  // a name that would cover another waits for a closer look
              var box = n.getElement(), b = box.getBoundingClientRect();
              var free = placed.every(function (p) {
                return b.right < p.left || b.left > p.right || b.bottom - 6 < p.top || b.top + 6 > p.bottom;
              });
              box.style.visibility = free ? "" : "hidden";
              if (free) { placed.push(b); }
            });
          }
          map.on("zoomend", show); show();
        })({{ this._parent.get_name() }}, {{ this.told }});
        {% endmacro %}"""
    )

    def __init__(self, ground: dict[str, Any], names_from: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Ground"
        self.told = script_json(ground)
        self.names_from = names_from


class Data(MacroElement):
    """The layer's shapes in their classes, hatch where withheld, the figure on hover, and the legend."""

    _template = Template(
        """{% macro script(this, kwargs) %}
        (function (map, data) {
          var tile = document.createElement("canvas"); tile.width = tile.height = 6;
          var pen = tile.getContext("2d"); pen.strokeStyle = "#8b8b87"; pen.lineWidth = 1.2;
          pen.beginPath(); pen.moveTo(-1, 7); pen.lineTo(7, -1); pen.moveTo(-1, 1); pen.lineTo(1, -1);
          pen.moveTo(5, 7); pen.lineTo(7, 5); pen.stroke();
          var Hatched = L.Canvas.extend({ _fillStroke: function (ctx, layer) {
            if (!layer.options.hatched) { return L.Canvas.prototype._fillStroke.call(this, ctx, layer); }
            ctx.globalAlpha = 0.5; ctx.fillStyle = ctx.createPattern(tile, "repeat"); ctx.fill("evenodd");
            ctx.globalAlpha = 1;
          } });
          var renderer = new Hatched({ padding: 0.2 });
          var grouped = new Intl.NumberFormat({{ this.lang|tojson }}, { maximumFractionDigits: 2 });
          var note = L.tooltip({ sticky: true });
          data.shapes.forEach(function (s, i) {
            var kind = data.classes[i];
            L.polygon(s, { renderer: renderer, color: "#fff", weight: data.line, opacity: 0.6,
              fillColor: kind < 0 ? "#9b9b97" : data.colors[kind], fillOpacity: kind < 0 ? 0.1 : 0.78,
              hatched: kind < 0 })
              .bindTooltip(function () {
                var box = document.createElement("div"), name = document.createElement("b");
                name.textContent = data.names[i]; box.appendChild(name);
                box.appendChild(document.createElement("br"));
                box.appendChild(document.createTextNode(
                  kind < 0 ? data.withheld : grouped.format(data.values[i]) + " " + data.unit));
                return box;
              }, { sticky: true }).addTo(map);
          });
          var legend = L.control({ position: "bottomright" });
          legend.onAdd = function () {
            var box = L.DomUtil.create("section", "hx-legend");
            box.setAttribute("aria-label", data.legend.title);
            function add(tag, text, into) {
              var made = document.createElement(tag); made.textContent = text; (into || box).appendChild(made);
              return made;
            }
            add("h1", data.legend.title);
            data.legend.notes.forEach(function (n) { add("p", n); });
            data.legend.rows.forEach(function (r) {
              var row = add("div", ""), swatch = document.createElement("i");
              if (r.color) { swatch.style.background = r.color; } else { swatch.className = "hatch"; }
              row.appendChild(swatch); add("span", r.text, row); add("small", grouped.format(r.count), row);
            });
            return box;
          };
          legend.addTo(map);
          L.control.scale({ imperial: false }).addTo(map);
        })({{ this._parent.get_name() }}, {{ this.told }});
        {% endmacro %}"""
    )

    def __init__(self, data: dict[str, Any], lang: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Data"
        self.told = script_json(data)
        self.lang = lang
