"""The private PostgreSQL + PostGIS cluster that the project makes and owns.

Source of the method: PostgreSQL documentation, initdb and pg_ctl. ``initdb`` refuses root, so as root
every server program runs as the system user ``postgres`` through ``setpriv``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from db.errors import HexwardError
from db.settings import DbSettings

LOGIN_ROLES = ("hexward_app", "hexward_stat_builder", "hexward_pub_reader", "hexward_auditor")
OWNER = "hexward_owner"


class ClusterError(HexwardError):
    """The private cluster cannot be made or started."""

    code = "cluster.failed"


class PostgisMissing(ClusterError):
    """No PostgreSQL with PostGIS is installed."""

    code = "cluster.postgis_missing"


@dataclass(frozen=True)
class Programs:
    """One installed PostgreSQL: its version and the folder of its programs."""

    version: int
    bin_dir: Path
    library_path: str | None = None

    def environment(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        env["LC_ALL"] = "C.UTF-8"
        if self.library_path:
            env["LD_LIBRARY_PATH"] = self.library_path
            env["PROJ_DATA"] = env["PROJ_LIB"] = str(self.bin_dir.parents[3] / "share/proj")
        return env


@dataclass(frozen=True)
class Cluster:
    """What is needed to reach the running cluster. Holds secrets: never print it whole."""

    data_dir: str
    socket_dir: str
    port: int
    passwords: dict[str, str]

    def __repr__(self) -> str:
        return f"Cluster(data_dir={self.data_dir!r}, port={self.port})"

    def url(self, database: str, role: str = OWNER) -> str:
        """SQLAlchemy address of ``database``, signed in as ``role``."""
        return f"postgresql+psycopg://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"


def find_programs(settings: DbSettings) -> Programs:
    """The newest PostgreSQL that has PostGIS: the system's, else the one unpacked into the project folder.

    Raises ``PostgisMissing`` with what to install.
    """
    unpacked = settings.home / "postgres"
    for root, library_path in ((Path("/"), None), (unpacked, _library_path(unpacked))):
        found = []
        for bin_dir in (root / "usr/lib/postgresql").glob("*/bin"):
            version = bin_dir.parent.name
            share = root / "usr/share/postgresql" / version / "extension"
            if version.isdigit() and (bin_dir / "initdb").exists() and (share / "postgis.control").exists():
                found.append(Programs(int(version), bin_dir, library_path))
        if found:
            return max(found, key=lambda p: p.version)
    raise PostgisMissing(command="apt-get install postgresql postgresql-postgis")


def _library_path(root: Path) -> str:
    places = [
        *root.glob("usr/lib/*-linux-gnu"),
        *root.glob("usr/lib/*-linux-gnu/*"),
        *root.glob("lib/*-linux-gnu"),
    ]
    return ":".join(str(p) for p in places if p.is_dir())


def _as_server_user(command: list[str]) -> list[str]:
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]


def _run(programs: Programs, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _as_server_user(command),
        env=programs.environment(),
        cwd="/",
        text=True,
        capture_output=True,
        check=False,
    )


@contextmanager
def _lock(settings: DbSettings) -> Iterator[None]:
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "cluster.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _state_file(settings: DbSettings) -> Path:
    return settings.home / "cluster.json"


def known(settings: DbSettings) -> Cluster | None:
    """The cluster written down in ``home``, running or not."""
    try:
        return Cluster(**json.loads(_state_file(settings).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as problem:
        raise ClusterError("cluster.state_unreadable", file=str(_state_file(settings))) from problem


def _remember(settings: DbSettings, cluster: Cluster) -> None:
    target = _state_file(settings)
    new = target.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(asdict(cluster), handle)
    new.replace(target)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def running(settings: DbSettings) -> Cluster | None:
    """The cluster when it accepts connections, else None."""
    cluster = known(settings)
    if cluster is None:
        return None
    try:
        with psycopg.connect(_plain(cluster.url("postgres")), connect_timeout=3):
            return cluster
    except psycopg.OperationalError:
        return None


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def ensure(settings: DbSettings) -> Cluster:
    """The running cluster: made when there is none, started when it stands still.

    Safe to call from several processes at once and after any interruption. Raises ``ClusterError``.
    """
    cluster = running(settings)
    if cluster is not None:
        return cluster
    with _lock(settings):
        cluster = running(settings)
        if cluster is not None:
            return cluster
        programs = find_programs(settings)
        cluster = known(settings)
        if cluster is None or not (Path(cluster.data_dir) / "hexward-complete").exists():
            cluster = _make(settings, programs)
        return _start(settings, programs, cluster)


def _make(settings: DbSettings, programs: Programs) -> Cluster:
    place = settings.place_for_cluster()
    data_dir = place / f"data-{programs.version}"
    place.mkdir(parents=True, exist_ok=True)
    if data_dir.exists():  # a half-made one: it never got its mark
        if (data_dir / "postmaster.pid").exists():
            _run(
                programs,
                [str(programs.bin_dir / "pg_ctl"), "-D", str(data_dir), "-m", "immediate", "-w", "stop"],
            )
        shutil.rmtree(data_dir)
    passwords = {role: secrets.token_urlsafe(24) for role in (OWNER, *LOGIN_ROLES)}
    if os.geteuid() == 0:
        server = pwd.getpwnam("postgres")
        os.chown(place, server.pw_uid, server.pw_gid)
    with tempfile.TemporaryDirectory(prefix="hexward-init-") as folder:
        pwfile = Path(folder) / "password"
        pwfile.write_text(passwords[OWNER])
        if os.geteuid() == 0:
            os.chown(folder, server.pw_uid, server.pw_gid)
            os.chown(pwfile, server.pw_uid, server.pw_gid)
        done = _run(
            programs,
            [str(programs.bin_dir / "initdb"), "-D", str(data_dir), "-U", OWNER, f"--pwfile={pwfile}",
             "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"],
        )  # fmt: skip
    if done.returncode:
        raise _explained(done.stderr, data_dir)
    (data_dir / "postgresql.auto.conf").write_text(_configuration())
    cluster = Cluster(str(data_dir), str(_socket_dir(data_dir)), _free_port(), passwords)
    _remember(settings, cluster)
    started = _start(settings, programs, cluster)
    with psycopg.connect(_plain(started.url("postgres")), autocommit=True) as connection:
        for role in LOGIN_ROLES:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(passwords[role])
                )
            )
    (data_dir / "hexward-complete").touch()
    return started


def _socket_dir(data_dir: Path) -> Path:
    mark = hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"hexward-{mark}"


def _configuration() -> str:
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return "\n".join(
        [
            f"shared_buffers = {max(64, min(memory_mb // 8, 4096))}MB",
            f"effective_cache_size = {max(128, memory_mb // 2)}MB",
            f"maintenance_work_mem = {max(64, min(memory_mb // 16, 1024))}MB",
            "max_wal_size = 4GB",
            "wal_level = minimal",  # a first load into a fresh file needs no log; no standby hangs on this cluster
            "max_wal_senders = 0",
            "checkpoint_timeout = 15min",
            "max_connections = 200",
            "jit = off",
            "random_page_cost = 1.1",
            "log_statement = none",
            "log_min_error_statement = panic",  # a failing statement may hold personal data
            "log_parameter_max_length = 0",
            "log_parameter_max_length_on_error = 0",
            "",
        ]
    )


def _start(settings: DbSettings, programs: Programs, cluster: Cluster) -> Cluster:
    data_dir = Path(cluster.data_dir)
    socket_dir = _socket_dir(data_dir)
    socket_dir.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        server = pwd.getpwnam("postgres")
        os.chown(socket_dir, server.pw_uid, server.pw_gid)
    last = ""
    for attempt in range(4):
        port = cluster.port if _port_is_free(cluster.port) else _free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={socket_dir}"
        log = data_dir / "server.log"
        done = _run(
            programs,
            [str(programs.bin_dir / "pg_ctl"), "-D", str(data_dir), "-w", "-t", "120", "-l", str(log),
             "-o", options, "start"],
        )  # fmt: skip
        candidate = Cluster(cluster.data_dir, str(socket_dir), port, cluster.passwords)
        if done.returncode == 0:
            _remember(settings, candidate)
            return candidate
        adopted = _adopt(settings, cluster)
        if adopted is not None:
            return adopted
        last = done.stderr + _tail(log)
        time.sleep(0.5 * 2**attempt)  # after a crash the old server may still be letting go
    raise _explained(last, data_dir)


def _adopt(settings: DbSettings, cluster: Cluster) -> Cluster | None:
    """The server already runs on a port that was not written down (an interrupted start)."""
    try:
        port = int((Path(cluster.data_dir) / "postmaster.pid").read_text().splitlines()[3])
    except (OSError, IndexError, ValueError):
        return None
    found = Cluster(cluster.data_dir, cluster.socket_dir, port, cluster.passwords)
    _remember(settings, found)
    return running(settings)


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    except OSError:
        return ""


def _explained(stderr: str, data_dir: Path) -> ClusterError:
    if re.search(r"No space left on device|could not write.*disk", stderr, re.IGNORECASE):
        return ClusterError("cluster.disk_full", folder=str(data_dir))
    if "Permission denied" in stderr:
        return ClusterError("cluster.no_rights", folder=str(data_dir))
    return ClusterError(folder=str(data_dir), detail=stderr.strip()[-800:])


def stop(settings: DbSettings) -> bool:
    """Stop the cluster; False when it did not run."""
    cluster = known(settings)
    if cluster is None or running(settings) is None:
        return False
    programs = find_programs(settings)
    done = _run(
        programs, [str(programs.bin_dir / "pg_ctl"), "-D", cluster.data_dir, "-m", "fast", "-w", "stop"]
    )
    if done.returncode:
        raise _explained(done.stderr, Path(cluster.data_dir))
    return True


def remove(settings: DbSettings) -> None:
    """Stop the cluster and delete it with all its data."""
    stop(settings)
    cluster = known(settings)
    if cluster is not None:
        shutil.rmtree(cluster.data_dir, ignore_errors=True)
        _state_file(settings).unlink(missing_ok=True)


def ensure_database(cluster: Cluster, name: str) -> None:
    """Create the database ``name`` when it is not there."""
    with psycopg.connect(_plain(cluster.url("postgres")), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process was faster
