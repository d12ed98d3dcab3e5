"""``hexward user``: accounts and territories. There is no default account and no default password."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import db.engine
from api import accounts
from api.cli import language, tell
from api.settings import ApiSettings
from api.words import say
from db.engine import write_session
from privacy.access import policy

app = typer.Typer(help="账号与辖区 / Accounts and territories", add_completion=False, no_args_is_help=True)


def _password(from_stdin: bool) -> str | None:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n") or None
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(say(language(), "cli.password"), hide_input=True, confirmation_prompt=True))


@app.command()
def add(
    *,
    account: Annotated[str, typer.Argument()],
    role: Annotated[
        str,
        typer.Option(help=" | ".join(policy().roles)),
    ],
    department: Annotated[
        str | None, typer.Option(help="部门（仅部门查询员）/ of a department reader")
    ] = None,
    name_zh: Annotated[str, typer.Option(help="中文姓名 / name in Chinese")] = "",
    name_en: Annotated[str, typer.Option(help="英文姓名 / name in English")] = "",
    territory: Annotated[
        list[str] | None, typer.Option(help="区域或网格编码，可多次 / code of an area or grid, repeatable")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option(help="从标准输入读密码 / read the password from standard input")
    ] = False,
) -> None:
    """Add an account / 添加账号."""
    with write_session(db.engine.engine("owner")) as session:
        accounts.add(
            session,
            account,
            role,
            name_zh=name_zh or name_en or account,
            name_en=name_en or name_zh or account,
            password=_password(password_stdin),
            department=department,
        )
        if territory:
            accounts.set_territory(session, account, territory)
    tell("cli.user_added", account=account, role=role)


@app.command("list")
def list_users() -> None:
    """List accounts / 列出账号."""
    from rich.console import Console
    from rich.table import Table

    zh = language() == "zh-CN"
    table = Table(
        *(
            ("账号", "角色", "姓名", "辖区", "状态")
            if zh
            else ("Account", "Role", "Name", "Territory", "State")
        )
    )
    with db.engine.read_session(db.engine.engine("owner")) as session:
        for row in accounts.list_accounts(session):
            shown = ", ".join(row["territory"][:6]) + (" …" if len(row["territory"]) > 6 else "")
            state = (
                ("停用" if zh else "disabled")
                if row["disabled"]
                else ("演示" if zh else "demo")
                if row["is_demo"]
                else ""
            )
            table.add_row(row["account"], row["role"], row["name"]["zh" if zh else "en"], shown, state)
    Console().print(table)


@app.command()
def passwd(
    account: str,
    password_stdin: bool = typer.Option(
        False, help="从标准输入读密码 / read the password from standard input"
    ),
) -> None:
    """Set a password; earlier sign-ins end / 设置密码."""
    with write_session(db.engine.engine("owner")) as session:
        accounts.set_password(session, account, _password(password_stdin))
    tell("cli.user_password", account=account)


@app.command()
def territory(account: str, codes: list[str]) -> None:
    """Set the whole territory by codes of areas and legal grids / 设置辖区."""
    with write_session(db.engine.engine("owner")) as session:
        accounts.set_territory(session, account, codes)
    tell("cli.user_territory", account=account, codes=", ".join(codes))


@app.command("totp-reset")
def totp_reset(account: str) -> None:
    """Forget a lost device and its recovery codes; the next sign-in sets up a new one / 重置动态验证码."""
    with write_session(db.engine.engine("owner")) as session:
        accounts.reset_second_factor(session, account)
    tell("cli.user_totp_reset", account=account)


@app.command()
def link(
    account: str,
    subject: Annotated[str, typer.Option(help="统一登录中的 sub / the provider's sub")],
) -> None:
    """Let a person of the sign-in provider in as this account / 关联统一登录."""
    issuer = ApiSettings().oidc_issuer
    with write_session(db.engine.engine("owner")) as session:
        accounts.link_subject(session, account, issuer or "", subject)
    tell("cli.user_linked", account=account, issuer=issuer or "-")
