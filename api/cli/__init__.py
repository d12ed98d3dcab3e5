"""The command line program ``hexward``: one table of subcommands, each module imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any, NoReturn

import typer
import typer.main
from typer.core import TyperGroup

from api.words import say
from db.errors import HexwardError

# name: (module, help zh, help en); the module offers ``app``, a Typer application.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("api.cli.demo", "生成、装载并打开演示城市", "Make, load and serve the demo city"),
    "serve": ("api.cli.serve", "启动网页服务", "Serve the app"),
    "load": ("api.cli.load", "按 city.toml 装载城市数据", "Load a city from its city.toml"),
    "runs": ("api.cli.runs", "查看导入记录和被拒绝的行", "Load runs and rejected rows"),
    "map": ("api.cli.map", "把一个图层写成离线地图文件", "Write a layer as a map file that needs no network"),
    "user": ("api.cli.user", "账号与辖区", "Accounts and territories"),
    "db": ("api.cli.db", "项目自带的数据库", "The project's own database"),
    "audit": ("api.cli.audit", "审计记录：查看与校验", "The audit trail: look and verify"),
    "keys": (
        "api.cli.keys",
        "加密密钥：状态、更换、销毁旧密钥",
        "Keys of what is encrypted: state, change, destroy old ones",
    ),
    "retention": (
        "api.cli.retention",
        "保存期限：处理到期的记录",
        "Retention: deal with what has lost its ground",
    ),
    "demo-city": ("api.cli.demo_city", "只生成演示城市的源文件", "Write the demo city's source files only"),
    "bench": ("api.cli.bench", "运行一项性能测试", "Run one benchmark"),
    "settings": ("api.cli.settings", "列出全部设置", "List every setting"),
    "test": ("api.cli.suite", "运行全部测试", "Run the whole suite"),
}


def language() -> str:
    """Language of the terminal: HEXWARD_LANG, LC_ALL, LANG; Chinese when it begins with zh, else English."""
    chosen = os.environ.get("HEXWARD_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh-CN" if chosen.lower().startswith("zh") else "en"


def tell(key: str, /, **params: Any) -> None:
    """Print the words of ``key`` in the terminal's language."""
    typer.echo(say(language(), key, **params))


class _Lazy(TyperGroup):
    """A group whose members are imported one by one, when asked for: `hexward db status` loads no map library."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The list of subcommands from the table, without importing any of them."""
        place = 1 if language() == "zh-CN" else 2
        formatter.write_usage("hexward", "COMMAND ...")
        with formatter.section("Hexward"):
            formatter.write_dl([(name, row[place]) for name, row in COMMANDS.items()])


program = typer.Typer(
    cls=_Lazy,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@program.callback()
def _root() -> None:
    """Hexward / 网格化城市管理平台."""


def main() -> None:
    """Entry point: a problem a person can mend becomes a message and exit code 1, never a traceback."""
    _quiet_logs()
    try:
        program()
    except HexwardError as problem:
        _stop(problem.code, problem.params)
    except KeyboardInterrupt:
        typer.echo(say(language(), "cli.interrupted"), err=True)
        sys.exit(130)
    except OSError as problem:
        _stop(*_of_a_file(problem))
    except Exception as problem:  # noqa: BLE001 - the last word about a defect must not quote a person's data
        code = _database_code(problem)
        if code is not None:
            _stop(code, {})
        _defect(problem)


def _quiet_logs() -> None:
    """What a command says, it says in words; of the logs only warnings are shown, on standard error."""
    from api import logs

    logs.configure("WARNING")


def _of_a_file(problem: OSError) -> tuple[str, dict[str, Any]]:
    """The code and parameters of trouble with a file or folder: no rights, a full disk, a folder that is not there."""
    file = str(problem.filename or "?")
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return "cluster.disk_full", {"folder": file}
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "cluster.no_rights", {"folder": file}
    return "cli.file_trouble", {"file": file, "detail": problem.strerror or type(problem).__name__}


def _defect(problem: Exception) -> NoReturn:
    """A fault of the program itself: its kind and place; the whole of it, which may quote data, only when asked for."""
    from api import logs

    if os.environ.get("HEXWARD_TRACEBACK") == "1":
        raise problem
    told = logs.describe(problem)
    _stop("cli.defect", {"kind": told["error"], "at": " < ".join(reversed(told["at"][-4:]))})


def _stop(code: str, params: dict[str, Any]) -> NoReturn:
    typer.echo(f"!! {say(language(), code, **params)}", err=True)
    sys.exit(1)


def _database_code(problem: Exception) -> str | None:
    """The code of the two troubles with a database that anybody may meet; None for a defect of ours."""
    import psycopg

    cause = getattr(problem, "orig", problem)
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return "database.not_migrated"
    return "database.unavailable" if isinstance(cause, psycopg.OperationalError) else None
