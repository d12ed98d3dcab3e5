"""The root of the project's error tree: a stable code and parameters, words in the translation files."""

from __future__ import annotations

from typing import Any


class HexwardError(Exception):
    """Something a person can mend.

    ``code`` is the stable key under which the translation files hold the words; ``params`` fill them.
    Each subclass names its code; a caller may narrow it. The English fallback (``str``) is the code with
    its parameters, so a log line is useful without the translation files.
    """

    code = "error"

    def __init__(self, code: str | None = None, /, **params: Any) -> None:
        if code is not None:
            self.code = code
        self.params = params
        super().__init__(self.code)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.code}({inside})" if inside else self.code
