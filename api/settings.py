"""Settings of the web server; every one is an environment variable, listed in docs/settings.md."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.settings import PROJECT, DbSettings


class ApiSettings(BaseSettings):
    """Settings of the api room; each is an environment variable of the name in its description."""

    model_config = SettingsConfigDict(env_prefix="HEXWARD_", extra="ignore", populate_by_name=True)

    host: str = Field(default="127.0.0.1", description="HEXWARD_HOST: address the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="HEXWARD_PORT: port the server listens on.")
    hosts: tuple[str, ...] = Field(
        default=("localhost", "127.0.0.1", "::1"),
        description="HEXWARD_HOSTS: names (JSON list) under which browsers may call the server; others get 421.",
    )
    web_dist: Path = Field(
        default=PROJECT / "web" / "dist", description="HEXWARD_WEB_DIST: folder of the built front end."
    )
    session_hours: float = Field(
        default=12, gt=0, le=720, description="HEXWARD_SESSION_HOURS: longest life of a sign-in."
    )
    idle_minutes: float = Field(
        default=60, gt=0, le=1440, description="HEXWARD_IDLE_MINUTES: a sign-in unused this long ends."
    )
    session_hours_by_role: dict[str, float] = Field(
        default={"administrator": 4},
        description="HEXWARD_SESSION_HOURS_BY_ROLE: a shorter longest life for some roles (JSON).",
    )
    idle_minutes_by_role: dict[str, float] = Field(
        default={"administrator": 15},
        description="HEXWARD_IDLE_MINUTES_BY_ROLE: a shorter unused time for some roles (JSON).",
    )
    signin_key: SecretStr | None = Field(
        default=None,
        description="HEXWARD_SIGNIN_KEY: 64 hexadecimal digits, the key that seals the second factor's secrets; "
        "without it a key is made once and kept in HEXWARD_HOME/keys/signin.key (readable by its owner only).",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="HEXWARD_OIDC_ISSUER: address of an OpenID Connect provider; with it single sign-on is offered.",
    )
    oidc_client_id: str = Field(
        default="hexward", description="HEXWARD_OIDC_CLIENT_ID: this server's name at the provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None,
        description="HEXWARD_OIDC_CLIENT_SECRET: its secret there; none for a public client (PKCE is always used).",
    )
    oidc_name: str = Field(
        default="OIDC", description="HEXWARD_OIDC_NAME: the provider's name on the sign-in button."
    )
    oidc_scopes: str = Field(
        default="openid profile", description="HEXWARD_OIDC_SCOPES: what is asked of the provider."
    )
    oidc_account_claim: str | None = Field(
        default=None,
        description="HEXWARD_OIDC_ACCOUNT_CLAIM: claim that names an existing account, such as preferred_username; "
        "only for a provider whose people cannot choose it. Without it `hexward user link` decides.",
    )
    oidc_roles_claim: str = Field(
        default="groups", description="HEXWARD_OIDC_ROLES_CLAIM: claim that HEXWARD_OIDC_ROLES reads."
    )
    oidc_roles: dict[str, str] = Field(
        default={},
        description="HEXWARD_OIDC_ROLES: value of that claim to role (JSON), for accounts made at the first sign-in; "
        "only roles that see no person and have no duty.",
    )
    oidc_second_factor: bool = Field(
        default=False,
        description="HEXWARD_OIDC_SECOND_FACTOR: the provider asks everyone for a second factor; without it a role "
        "that needs one gets in only when the token's amr says that one was used.",
    )
    public_url: str | None = Field(
        default=None,
        description="HEXWARD_PUBLIC_URL: address under which browsers reach the server, for the provider's way back; "
        "without it that of the request.",
    )
    cookie_secure: bool = Field(
        default=False, description="HEXWARD_COOKIE_SECURE: send the session cookie over HTTPS only."
    )
    demo_accounts: bool = Field(
        default=False,
        description="HEXWARD_DEMO_ACCOUNTS: allow the demo accounts (one click, no password) outside a demo city.",
    )
    failed_before_lock: int = Field(
        default=5,
        ge=1,
        le=50,
        description="HEXWARD_FAILED_BEFORE_LOCK: wrong passwords before an account waits.",
    )
    max_body_mb: int = Field(
        default=200, ge=1, le=4096, description="HEXWARD_MAX_BODY_MB: largest upload the server accepts."
    )
    advance_day: bool = Field(
        default=True,
        description="HEXWARD_ADVANCE_DAY: bring the statistics to each new day while the server runs.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="HEXWARD_LOG_LEVEL: least level that is logged.",
    )
    language: str = Field(
        default="zh-CN",
        pattern="^(zh-CN|en)$",
        description="HEXWARD_LANGUAGE: language of messages when the caller names none.",
    )
    asks_an_hour: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="HEXWARD_ASKS_AN_HOUR: how often an account may ask the other grid within an hour.",
    )
    hall_declarations_an_hour: int = Field(
        default=10,
        ge=1,
        le=10_000,
        description="HEXWARD_HALL_DECLARATIONS_AN_HOUR: declarations taken from one network address within an hour.",
    )
    hall_looks_a_minute: int = Field(
        default=30,
        ge=1,
        le=10_000,
        description="HEXWARD_HALL_LOOKS_A_MINUTE: query codes that one network address may try within a minute.",
    )
    hall_finds_a_minute: int = Field(
        default=120,
        ge=1,
        le=10_000,
        description="HEXWARD_HALL_FINDS_A_MINUTE: address searches of the hall from one network address in a minute.",
    )

    def signin_key_file(self) -> Path:
        """Where the key of the second factor lies when it is not given."""
        return DbSettings().home / "keys" / "signin.key"

    def session_hours_of(self, role: str) -> float:
        """Longest life of a sign-in of ``role``."""
        return min(self.session_hours, self.session_hours_by_role.get(role, self.session_hours))

    def idle_minutes_of(self, role: str) -> float:
        """Unused minutes after which a sign-in of ``role`` ends."""
        return min(self.idle_minutes, self.idle_minutes_by_role.get(role, self.idle_minutes))
