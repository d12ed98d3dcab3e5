"""The launcher says what is wrong and the way out, before it has a Python environment to say it with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from db.settings import PROJECT

TOOLS = [
    "bash",
    "sh",
    "cat",
    "dirname",
    "mkdir",
    "id",
    "awk",
    "sha256sum",
    "cut",
    "rm",
    "grep",
    "tail",
    "touch",
    "env",
    "flock",
    "ls",
    "find",
    "sort",
    "xargs",
]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the launcher in a folder of its own, with a PATH that holds only everyday tools."""
    for name in ("hexward", "requirements.txt", "requirements-test.txt", "pyproject.toml"):
        shutil.copy(PROJECT / name, tmp_path / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (tools / tool).symlink_to(found)
    _script(tools / "df", "echo 'Filesystem 1M Used Free Use Mount'; echo 'x 9 9 100000 9% /'")
    return tmp_path


def _script(path: Path, body: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def _run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": str(folder / "bin"), "HOME": str(folder), "LANG": "C.UTF-8", **env}
    return subprocess.run(
        [str(folder / "hexward"), *words],
        env=surroundings,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_folder_that_cannot_be_written_is_named_with_a_way_out(bare: Path) -> None:
    done = _run(bare, "demo", HEXWARD_HOME="/dev/null/x")
    assert done.returncode == 1
    assert "/dev/null/x" in done.stderr
    assert "HEXWARD_HOME=" in done.stderr


def test_no_python_is_said_in_the_user_s_language(bare: Path) -> None:
    english = _run(bare, "demo", DATABASE_URL="postgresql://x")
    assert english.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in english.stderr
    chinese = _run(bare, "demo", DATABASE_URL="postgresql://x", LANG="zh_CN.UTF-8")
    assert "需要 Python 3.11" in chinese.stderr


def test_an_old_python_does_not_count(bare: Path) -> None:
    _script(bare / "bin" / "python3", "exit 1")
    done = _run(bare, "demo", DATABASE_URL="postgresql://x")
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr


def test_a_full_disk_stops_before_anything_is_made(bare: Path) -> None:
    _script(bare / "bin" / "df", "echo 'Filesystem 1M Used Free Use Mount'; echo 'x 9 9 12 9% /'")
    _script(bare / "bin" / "python3", "exit 0")
    done = _run(bare, "demo", DATABASE_URL="postgresql://x")
    assert done.returncode == 1
    assert "12 MB free" in done.stderr
    assert not (bare / ".venv").exists()


@pytest.mark.skipif(
    not Path("/usr/share/postgresql").exists(), reason="tells apart only where PostGIS is installed"
)
def test_missing_database_packages_without_rights_names_both_ways(bare: Path) -> None:
    launcher = bare / "hexward"
    launcher.write_text(launcher.read_text().replace("/usr/share/postgresql/*", str(bare / "nowhere/*")))
    done = _run(bare, "demo")
    assert done.returncode == 1
    assert "apt-get install postgresql postgresql-postgis" in done.stderr
    assert "DATABASE_URL" in done.stderr


def test_a_failed_installation_shows_its_log(bare: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("as another user the launcher would ask sudo")
    launcher = bare / "hexward"
    launcher.write_text(launcher.read_text().replace("/usr/share/postgresql/*", str(bare / "nowhere/*")))
    launcher.write_text(launcher.read_text().replace("/etc/postgresql-common", str(bare / "etc")))
    _script(bare / "bin" / "apt-get", "echo 'E: Unable to locate package postgresql-postgis'; exit 100")
    _script(bare / "bin" / "dpkg", "exit 0")
    (bare / "bin" / "tee").symlink_to(shutil.which("tee") or "")
    done = _run(bare, "demo")
    assert done.returncode == 1
    assert "Unable to locate package" in done.stderr
    assert str(bare / ".hexward" / "apt.log") in done.stderr
