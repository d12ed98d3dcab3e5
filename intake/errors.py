"""What can make intake refuse a whole source, as opposed to one of its rows."""

from __future__ import annotations

from db.errors import HexwardError
from intake.words import describe


class IntakeError(HexwardError):
    """A source, or the file that describes it, cannot be used as it is.

    ``str()`` gives the English words with the remedy; ``describe(error.code, error.params, "zh-CN")`` the
    Chinese ones. Parameters never hold the content of a cell.
    """

    code = "intake.failed"

    def __str__(self) -> str:
        return describe(self.code, self.params, "en")


class CityFileError(IntakeError):
    """A city.toml that cannot be used; ``params["problems"]`` lists every one with its key."""

    code = "city.invalid"


class SourceError(IntakeError):
    """A source's file cannot be read as declared."""

    code = "source.unreadable"


class SourceNotFound(SourceError):
    """The file is not there."""

    code = "source.not_found"


class EncodingError(SourceError):
    """The text is not in the encoding declared, or in none that is known."""

    code = "source.wrong_encoding"


class SourceTooLarge(SourceError):
    """A cell, record, sheet or archive is beyond the limits: an accident or an attack."""

    code = "source.too_large"


class MappingError(IntakeError):
    """The headers do not tell which column is which field."""

    code = "columns.unclear"


class DatumMissing(IntakeError):
    """A source with coordinates that does not name its datum."""

    code = "source.datum_missing"
