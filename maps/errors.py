"""What can go wrong when somebody asks for a map, a table or a dashboard."""

from __future__ import annotations

from db.errors import HexwardError


class MapError(HexwardError):
    """A map, table or dashboard that cannot be drawn as asked."""

    code = "map"


class UnknownLayerError(MapError):
    """No such layer in the catalogue; params: layer."""

    code = "unknown_layer"


class UnitNotFoundError(MapError):
    """No such area, grid or cell that the viewer may see; params: kind, id."""

    code = "unit_not_found"


class BadGeographyError(MapError):
    """A geography, level or resolution this city or this layer does not have; params: geography, layer."""

    code = "bad_geography"


class BadSchemeError(MapError):
    """A scheme of class breaks that does not exist, or a number of classes out of 2..9; params: scheme, classes."""

    code = "bad_scheme"


class NoHistoryError(MapError):
    """The layer keeps no past dates; params: layer, date."""

    code = "no_history"


class OutsideHistoryError(MapError):
    """The date lies before the first or after the last kept month; params: date, first, last."""

    code = "outside_history"


class TileOutOfRangeError(MapError):
    """Not a tile of the layer's zoom range; params: z, x, y."""

    code = "tile_out_of_range"


class LeafletMissingError(MapError):
    """The map library's own files are not where they should be; params: file."""

    code = "leaflet_missing"


class ExportFormatError(MapError):
    """A file format that is not offered; params: format."""

    code = "export_format"


class MapTooLargeError(MapError):
    """A one-file map with more shapes than a browser can draw at ease; params: count, limit, resolution."""

    code = "map_too_large"


class BasemapUnreadableError(MapError):
    """The basemap is not a PMTiles archive of vector tiles, or is cut short; params: file, detail."""

    code = "basemap.unreadable"


class NotebookSessionError(MapError):
    """The session a notebook was given has ended or never was; params: variable, told (the app's own words)."""

    code = "notebook_session"
