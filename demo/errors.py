"""What the demo city can refuse."""

from __future__ import annotations

from db.errors import HexwardError


class UnknownSizeError(HexwardError):
    """No demo city of that size."""

    code = "demo.unknown_size"


class FolderNotOursError(HexwardError):
    """The folder holds something that the generator did not write; it is left alone."""

    code = "demo.folder_not_ours"


class CityTooLargeError(HexwardError):
    """The city does not fit the icosahedron face or the code space it was placed in."""

    code = "demo.city_too_large"
