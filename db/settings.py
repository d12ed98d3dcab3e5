"""Where the database and the project's own data live."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent


class DbSettings(BaseSettings):
    """Settings of the database room; each is an environment variable of the name in its description."""

    model_config = SettingsConfigDict(env_prefix="HEXWARD_", extra="ignore", populate_by_name=True)

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="DATABASE_URL: an existing PostgreSQL + PostGIS database to use instead of the private cluster.",
    )
    database_url_app: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL_APP",
        description="DATABASE_URL_APP: the same database signed in as hexward_app; without it the owner's "
        "connection switches to that role, which a hostile statement could switch back.",
    )
    database_url_pub: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL_PUB",
        description="DATABASE_URL_PUB: the same database signed in as hexward_pub_reader, for released figures.",
    )
    home: Path = Field(
        default=PROJECT / ".hexward",
        description="HEXWARD_HOME: folder for the private cluster, prepared tables, keys and generated cities.",
    )
    database: str = Field(
        default="hexward",
        pattern=r"^[a-z_][a-z0-9_]{0,62}$",
        description="HEXWARD_DATABASE: name of the database inside the private cluster.",
    )
    patience_s: float = Field(
        default=60,
        ge=0,
        le=86_400,
        description="HEXWARD_PATIENCE_S: seconds a load waits for a database that went away before it gives up.",
    )
    pool_size: int = Field(
        default=12, ge=1, le=200, description="HEXWARD_POOL_SIZE: open connections kept per role."
    )

    def place_for_cluster(self) -> Path:
        """Folder of the cluster's files: inside ``home``, or under /var/lib where `postgres` cannot enter it."""
        inside = self.home / "pg"
        if os.geteuid() != 0 or _others_may_enter(self.home):
            return inside
        mark = hashlib.sha256(str(self.home).encode()).hexdigest()[:10]
        return Path("/var/lib/hexward") / mark


def _others_may_enter(path: Path) -> bool:
    """Whether a user who owns nothing here may walk down to ``path`` (only existing parents count)."""
    for part in [path, *path.parents]:
        if part.exists() and not part.stat().st_mode & 0o001:
            return False
    return True
