"""What a password must not be: short, the account's name in another dress, one that everybody tries first."""

from __future__ import annotations

import re

from db.errors import HexwardError

MINIMUM = 10

# Stems of the passwords that are tried first; digits and signs around them add nothing.
_WORDS = """password passwort passw0rd p@ssw0rd admin administrator root welcome letmein qwerty qwertyuiop qwerty123
    asdfghjkl zxcvbnm iloveyou monkey dragon sunshine princess football baseball master superman batman trustno
    hexward changeme default secret login guest test user abc abcd abcdef abcabc a1b2c3d4 q1w2e3r4 1q2w3e4r
    1qaz2wsx zaq12wsx qazwsx woaini woaini1314 5201314 1314520 mima wodemima beijing shanghai shenzhen zhongguo
    china huawei gongan shequ wangge tongji caonima nihao aini"""
_COMMON = frozenset(_WORDS.split())


class WeakPassword(HexwardError):
    """The password is too easy; the code says why."""

    code = "account.weak_password"


def _stem(password: str) -> str:
    return re.sub(r"[\W\d_]+$|^[\W\d_]+", "", password.lower())


def check(password: str, account: str) -> None:
    """Raises ``WeakPassword``: too short, common, or made of the account's name.

    >>> check("correct horse battery staple", "li.wei")
    >>> check("Password2026!", "li.wei")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    WeakPassword: account.common_password
    """
    if len(password) < MINIMUM:
        raise WeakPassword("account.weak_password", length=MINIMUM)
    plain, name = re.sub(r"[\W_]+", "", password.lower()), re.sub(r"[\W_]+", "", account.lower())
    if len(name) >= 3 and name in plain and len(plain) - len(name) < 8:
        raise WeakPassword("account.password_is_account")
    few = len(set(plain)) < 5
    runs = (
        plain in "01234567890123456789"
        or plain in "98765432109876543210"
        or plain in "abcdefghijklmnopqrstuvwxyz"
    )
    if few or runs or _stem(password) in _COMMON or plain in _COMMON:
        raise WeakPassword("account.common_password")
