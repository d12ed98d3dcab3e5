"""The settings of every room in one list: found in the rooms' ``settings`` modules, not written down twice."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from db.settings import PROJECT

# Variables that are read before the settings can be, or outside the server.
ELSEWHERE = {
    "HEXWARD_LANG": "language of the command line: zh-CN or en; without it LC_ALL and LANG decide.",
    "HEXWARD_PYTHON": "the Python that `./hexward` makes its virtual environment with.",
    "HEXWARD_CHROMIUM": "the browser of the browser tests.",
    "HEXWARD_TRACEBACK": "1: a defect ends with its whole traceback, which may quote data, instead of a message.",
    "HEXWARD_TOKEN": "session token with which a notebook signs in instead of a password.",
}

ROOMS = ("db", "grid", "intake", "privacy", "population", "maps", "demo", "api")


@dataclass(frozen=True)
class Setting:
    """One environment variable."""

    name: str
    description: str
    default: Any
    group: type[BaseSettings]
    field: str

    @property
    def secret(self) -> bool:
        """Whether its value must not be shown."""
        annotation = str(self.group.model_fields[self.field].annotation)
        return any(kind.__name__ in annotation for kind in (SecretStr, SecretBytes))

    def present(self) -> str:
        """The value in force, hidden when secret."""
        value = getattr(self.group(), self.field)
        if value is None:
            return "-"
        return "********" if self.secret else _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = str(value)
    return text.replace(str(PROJECT), ".") if text.startswith(str(PROJECT)) else text


@cache
def documented() -> dict[str, list[Setting]]:
    """All settings by room."""
    return {room: found for room in ROOMS if (found := _of_room(room))}


def groups(room: str) -> list[type[BaseSettings]]:
    """The settings groups that the room's ``settings`` modules define."""
    package = importlib.import_module(room)
    names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{room}.")]
    found = []
    for name in names:
        if name.rpartition(".")[2] == "settings" and not name.startswith("api.cli."):
            module = importlib.import_module(name)
            for value in vars(module).values():
                if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == name:
                    found.append(value)
    return found


def _of_room(room: str) -> list[Setting]:
    found = []
    for group in groups(room):
        prefix = str(group.model_config.get("env_prefix", ""))
        for name, info in group.model_fields.items():
            variable = _variable(prefix, name, info)
            told = (info.description or "").removeprefix(f"{variable}:").strip()
            found.append(Setting(variable, told, info.get_default(call_default_factory=False), group, name))
    return found


def _variable(prefix: str, name: str, info: FieldInfo) -> str:
    if isinstance(info.validation_alias, str):
        return info.validation_alias
    return f"{prefix}{name}".upper()


def as_markdown() -> str:
    """The page ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable; none is needed for `./hexward demo`. Each group is owned by the",
        "room that reads it. `hexward settings` prints the values in force. This page is written by",
        "`hexward settings --markdown > docs/settings.md`; a test holds it against the code.",
    ]
    for room, found in documented().items():
        lines += ["", f"## `{room}/`", "", "| setting | default | what it does |", "|---|---|---|"]
        for s in found:
            told = s.description.replace("|", "\\|")
            lines.append(f"| `{s.name}` | `{_shown(s.default)}` | {told} |")
    lines += [
        "",
        "## Read by the command line and the notebook",
        "",
        "| variable | what it does |",
        "|---|---|",
    ]
    lines += [f"| `{name}` | {told} |" for name, told in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"
