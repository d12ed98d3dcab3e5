"""Settings of the register."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.settings import DbSettings


class RegisterSettings(BaseSettings):
    """Settings of the register; each is an environment variable of the name in its description."""

    model_config = SettingsConfigDict(env_prefix="HEXWARD_", extra="ignore", populate_by_name=True)

    identity_key: SecretStr | None = Field(
        default=None,
        description="HEXWARD_IDENTITY_KEY: 64 hexadecimal digits, the key of ID numbers and telephone numbers; "
        "without it a key is made once and kept in HEXWARD_HOME/keys/identity.key (readable by its owner only).",
    )

    def key_file(self) -> Path:
        """Where the key lies when it is not given."""
        return DbSettings().home / "keys" / "identity.key"
