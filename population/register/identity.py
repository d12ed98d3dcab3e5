"""ID numbers and telephone numbers as they are stored: encrypted, and an ID number with a keyed hash for matching.

A resident's number is 17 digits and a check character, so it fits into half a block of AES; the other half stays zero
and is checked when the block is opened (encode-then-encipher; Bellare and Rogaway 2000). Nothing else would be gained
by a nonce, since the keyed hash beside it is the same for the same number anyway. The hash is AES used as a
pseudo-random function on two blocks. Both run over whole columns. Other documents, which are rare, go one by one
through AES-SIV (RFC 5297) and HMAC-SHA256. Telephone numbers are enciphered in the same way under a key of their own;
equal numbers stay equal, so that an update can tell what changed without opening them.

The first byte of what is stored says its kind (low three bits) and the generation of the key (the rest). Several
generations open at once while the keys are changed (``rotation``); what is written is of the newest. The keyed hashes
have keys of their own that stay, so that matching and search go on undisturbed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from numpy.typing import NDArray

from db.errors import HexwardError
from db.keyfile import write_once
from population.register.documents import check_character
from population.register.settings import RegisterSettings

_RESIDENT: Final = 1
_TEXT: Final = 2
_PHONE: Final = 3
_KIND: Final = 0b111
GENERATIONS: Final = 32
_CHECKS: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
_CHECK_WEIGHTS: Final = np.array([pow(2, 17 - place, 11) for place in range(17)], dtype=np.int64)
_PLACES: Final = 10 ** np.arange(16, -1, -1, dtype=np.int64)


class IdentityKeyError(HexwardError):
    """The key is not 32 bytes, or what is stored was written with another key."""

    code = "identity_key"


class IdentityKeyFileError(IdentityKeyError):
    """A file of keys that is in use is missing or spoiled."""

    code = "identity_key.file"


@dataclass(frozen=True)
class Vault:
    """The keys drawn from one master key, and what they do."""

    numbers: bytes
    hashes: bytes
    texts: bytes
    macs: bytes
    phones: bytes
    phone_hashes: bytes
    generation: int = 0
    older: tuple[Vault, ...] = ()

    def renewed(self, master: bytes, generation: int) -> Vault:
        """Keys drawn from another master key for all that is encrypted, this one's for matching; opens both.

        >>> old = Vault.of(bytes(32))
        >>> new = old.renewed(bytes(range(32)), 1)
        >>> new.reveal(pl.concat([v.protect(pl.Series(["11010519491231002X"]))["enc"] for v in (old, new)])).to_list()
        ['11010519491231002X', '11010519491231002X']
        """
        made = Vault.of(master)
        kept = (*self.older, replace(self, older=()))
        return replace(
            self,
            numbers=made.numbers,
            texts=made.texts,
            phones=made.phones,
            generation=generation,
            older=kept,
        )

    def generations(self) -> list[int]:
        """The generations this vault opens, the one it writes last."""
        return [*(one.generation for one in self.older), self.generation]

    def _of(self, stored: bytes) -> Vault:
        """The keys with which ``stored`` was written. Raises IdentityKeyError when they are not here."""
        wanted = stored[0] >> 3
        for one in (self, *self.older):
            if one.generation == wanted:
                return one
        raise IdentityKeyError(bytes=32)

    def _mark(self, kind: int) -> int:
        return kind | self.generation << 3

    def reseal(self, stored: bytes, label: list[bytes]) -> bytes:
        """The same content under the keys this vault writes with. Raises IdentityKeyError."""
        keys, kind, body = self._of(stored), stored[0] & _KIND, stored[1:]
        if kind == _TEXT:
            try:
                return bytes([self._mark(kind)]) + AESSIV(self.texts).encrypt(
                    AESSIV(keys.texts).decrypt(body, label), label
                )
            except InvalidTag as wrong:
                raise IdentityKeyError(bytes=32) from wrong
        old, new = (k.numbers if kind == _RESIDENT else k.phones for k in (keys, self))
        opened = _ecb(old, body, False)
        if any(opened[8:]):
            raise IdentityKeyError(bytes=32)
        return bytes([self._mark(kind)]) + _ecb(new, opened)

    @classmethod
    def of(cls, master: bytes) -> Vault:
        """Keys drawn from ``master`` (32 bytes)."""
        if len(master) != 32:
            raise IdentityKeyError(bytes=len(master))

        def draw(name: str) -> bytes:
            return hmac.digest(master, f"hexward identity {name}".encode(), hashlib.sha256)

        phones = draw("phones")
        return cls(
            draw("numbers"),
            draw("hashes"),
            draw("texts") + draw("texts2"),
            draw("macs"),
            phones,
            hmac.digest(phones, b"hexward phone hashes", hashlib.sha256),
        )

    def protect(self, numbers: pl.Series) -> pl.DataFrame:
        """``enc`` and ``hash`` (32 bytes) of ID numbers; null stays null.

        >>> both = Vault.of(bytes(32)).protect(pl.Series(["11010519491231002X", None]))
        >>> Vault.of(bytes(32)).reveal(both["enc"]).to_list()
        ['11010519491231002X', None]
        """
        clean = normal(numbers)
        packed, resident = _pack(clean)
        blocks = np.zeros((len(packed), 2), dtype=">u8")
        blocks[:, 0] = packed
        doubled = np.repeat(blocks, 2, axis=0)
        doubled[0::2, 1], doubled[1::2, 1] = 1, 2
        enc = _column(resident, _marked(self._mark(_RESIDENT), _ecb(self.numbers, blocks.tobytes())))
        hashed = _column(
            resident, np.frombuffer(_ecb(self.hashes, doubled.tobytes()), np.uint8).reshape(-1, 32)
        )
        others = ~resident & clean.is_not_null().to_numpy()
        if others.any():
            siv, texts = AESSIV(self.texts), [text.encode() for text in clean.filter(pl.Series(others))]
            enc = _merge(
                enc, others, [bytes([self._mark(_TEXT)]) + siv.encrypt(text, [b"id"]) for text in texts]
            )
            hashed = _merge(hashed, others, [hmac.digest(self.macs, text, hashlib.sha256) for text in texts])
        return pl.DataFrame({"enc": enc, "hash": hashed})

    def protect_phones(self, phones: pl.Series) -> pl.Series:
        """Telephone numbers encrypted; null stays null."""
        short = phones.str.contains(r"^[1-9]\d{1,16}$").fill_null(False).to_numpy()
        blocks = np.zeros((int(short.sum()), 2), dtype=">u8")
        blocks[:, 0] = phones.filter(pl.Series(short)).cast(pl.UInt64).to_numpy()
        enc = _column(short, _marked(self._mark(_PHONE), _ecb(self.phones, blocks.tobytes())))
        others = ~short & phones.is_not_null().to_numpy()
        if others.any():
            siv = AESSIV(self.texts)
            texts = phones.filter(pl.Series(others))
            enc = _merge(
                enc,
                others,
                [bytes([self._mark(_TEXT)]) + siv.encrypt(text.encode(), [b"phone"]) for text in texts],
            )
        return enc

    def hash_phones(self, phones: pl.Series) -> pl.Series:
        """Telephone numbers as keyed hashes (32 bytes) for matching; null stays null.

        >>> Vault.of(bytes(32)).hash_phones(pl.Series(["13800138000", None])).bin.size().to_list()
        [32, None]
        """
        key = self.phone_hashes
        short = phones.str.contains(r"^[1-9]\d{1,16}$").fill_null(False).to_numpy()
        blocks = np.zeros((2 * int(short.sum()), 2), dtype=">u8")
        blocks[:, 0] = np.repeat(phones.filter(pl.Series(short)).cast(pl.UInt64).to_numpy(), 2)
        blocks[0::2, 1], blocks[1::2, 1] = 1, 2
        hashed = _column(short, np.frombuffer(_ecb(key, blocks.tobytes()), np.uint8).reshape(-1, 32))
        others = ~short & phones.is_not_null().to_numpy()
        if others.any():
            texts = phones.filter(pl.Series(others))
            hashed = _merge(
                hashed, others, [hmac.digest(key, text.encode(), hashlib.sha256) for text in texts]
            )
        return hashed

    def reveal(self, stored: pl.Series) -> pl.Series:
        """ID numbers or telephone numbers again. Raises IdentityKeyError when the key is another."""
        return pl.Series(
            stored.name, [None if one is None else self._open(one) for one in stored], dtype=pl.String
        )

    def phone_numbers(self, stored: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """Telephone numbers of up to 17 digits from what is stored of them (n, 17). Raises IdentityKeyError."""
        out = np.zeros(len(stored), dtype=np.uint64)
        for generation in np.unique(stored[:, 0] >> 3):
            mine = stored[:, 0] >> 3 == generation
            keys = self._of(bytes([int(generation) << 3]))
            blocks = np.ascontiguousarray(stored[mine, 1:]).tobytes()
            opened = np.frombuffer(_ecb(keys.phones, blocks, False), dtype=">u8").reshape(-1, 2)
            if opened[:, 1].any():
                raise IdentityKeyError(bytes=32)
            out[mine] = opened[:, 0].astype(np.uint64)
        return out

    def _open(self, stored: bytes) -> str:
        kind, body = stored[0] & _KIND, stored[1:]
        keys = self._of(stored)
        if kind == _TEXT:
            return keys._open_text(body)
        if len(body) != 16:
            raise IdentityKeyError(bytes=len(body))
        value, rest = np.frombuffer(
            _ecb(keys.numbers if kind == _RESIDENT else keys.phones, body, False), dtype=">u8"
        )
        if int(rest):
            raise IdentityKeyError(bytes=32)
        if kind == _PHONE:
            return str(int(value))
        digits = f"{int(value):017d}"
        return digits + check_character(digits)

    def seal(self, text: str, label: bytes) -> bytes:
        """``text`` encrypted (AES-SIV); ``label`` says what it is and must be given again to open it.

        >>> safe = Vault.of(bytes(32))
        >>> safe.unseal(safe.seal("张伟", b"name"), b"name")
        '张伟'
        """
        return bytes([self._mark(_TEXT)]) + AESSIV(self.texts).encrypt(text.encode(), [b"sealed", label])

    def unseal(self, stored: bytes, label: bytes) -> str:
        """What ``seal`` encrypted. Raises IdentityKeyError when the key or the label is another."""
        try:
            return AESSIV(self._of(stored).texts).decrypt(stored[1:], [b"sealed", label]).decode()
        except InvalidTag as wrong:
            raise IdentityKeyError(bytes=32) from wrong

    def _open_text(self, body: bytes) -> str:
        for label in (b"id", b"phone"):
            try:
                return AESSIV(self.texts).decrypt(body, [label]).decode()
            except InvalidTag:
                continue
        raise IdentityKeyError(bytes=32)


def matching(numbers: pl.Series) -> list[list[bytes]]:
    """The keyed hashes under which each number may be stored (one a valid key); empty for null."""
    return [[] if one is None else [one] for one in vault().protect(numbers)["hash"]]


def mask(number: str) -> str:
    """First six and last two characters, the rest hidden.

    >>> mask("11010519491231002X")
    '110105**********2X'
    """
    return number if len(number) <= 8 else number[:6] + "*" * (len(number) - 8) + number[-2:]


def normal(numbers: pl.Series) -> pl.Series:
    """The one form under which a number is stored and matched: no blanks, capitals."""
    return numbers.cast(pl.String).str.replace_all(r"\s", "").str.to_uppercase()


def vault(settings: RegisterSettings | None = None) -> Vault:
    """The vault of this installation; makes the key file when neither key nor file is there.

    Looks each time whether the keys were changed, so that every running process writes with the newest at once.
    Raises IdentityKeyError when a key that is in use is missing or spoiled.
    """
    settings = settings or RegisterSettings()
    ring = ring_file(settings)
    try:
        version = ring.stat().st_mtime_ns
    except FileNotFoundError:
        version = 0
    return _opened(settings.key_file(), _first(settings), ring, version)


def ring_file(settings: RegisterSettings) -> Path:
    """Which generations are in use: beside the first key."""
    return settings.key_file().with_suffix(".ring")


def generation_file(settings: RegisterSettings, generation: int) -> Path:
    """Where the key of a later generation lies."""
    return settings.key_file().with_suffix(f".{generation}.key")


def _first(settings: RegisterSettings) -> str | None:
    return None if settings.identity_key is None else settings.identity_key.get_secret_value()


@cache
def _opened(path: Path, given: str | None, ring: Path, version: int) -> Vault:
    if not version:
        return Vault.of(_bytes(given, path) if given else _of_file(path))
    try:
        said = json.loads(ring.read_text())
        matching = [bytes.fromhex(part) for part in said["matching"]]
        writes, reads = int(said["writes"]), [int(one) for one in said["reads"]]
    except (ValueError, KeyError, TypeError) as problem:
        raise IdentityKeyFileError(file=str(ring)) from problem
    made: list[Vault] = []
    for generation in sorted(reads, key=lambda one: one == writes):
        file = path if generation == 0 else path.with_suffix(f".{generation}.key")
        if not (generation == 0 and given) and not file.exists():
            raise IdentityKeyFileError(file=str(file))
        master = _bytes(given if generation == 0 else None, file)
        hashes, macs, phone_hashes = matching
        made.append(
            replace(
                Vault.of(master), hashes=hashes, macs=macs, phone_hashes=phone_hashes, generation=generation
            )
        )
    return replace(made[-1], older=tuple(made[:-1]))


def _bytes(given: str | None, file: Path) -> bytes:
    try:
        return bytes.fromhex((given or file.read_text()).strip())
    except ValueError as problem:
        raise IdentityKeyFileError(file=str(file)) from problem


def make_key(path: Path) -> None:
    """Write a new key into ``path`` unless there is one; complete or not at all, readable by its owner only."""
    write_once(path, secrets.token_hex(32))


def _of_file(path: Path) -> bytes:
    if not path.exists():
        make_key(path)
    return _bytes(None, path)


def _pack(clean: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """The 17 digits of the resident's numbers among ``clean`` as one number each, and which they are."""
    formed = clean.str.contains(r"^\d{17}[\dX]$").fill_null(False).to_numpy().copy()
    if not formed.any():
        return np.empty(0, np.uint64), formed
    characters = _characters(clean.filter(pl.Series(formed)))
    digits = characters[:, :17].astype(np.int64) - ord("0")
    right = _CHECKS[digits @ _CHECK_WEIGHTS % 11] == characters[:, 17]
    formed[formed] = right
    return (digits[right] @ _PLACES).astype(np.uint64), formed


def _characters(numbers: pl.Series) -> NDArray[np.uint8]:
    """The characters of numbers that have 18 of them, a row each, without an object a number."""
    array = numbers.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    first = int(np.frombuffer(offsets, dtype=np.int64)[array.offset])
    return np.frombuffer(data, dtype=np.uint8)[first : first + 18 * len(numbers)].reshape(-1, 18)


def _ecb(key: bytes, data: bytes, forward: bool = True) -> bytes:
    """AES on single blocks; each block is a message of its own, so there is no mode to leak between them."""
    cipher = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
    worker = cipher.encryptor() if forward else cipher.decryptor()
    return worker.update(data) + worker.finalize()


def _marked(kind: int, body: bytes) -> NDArray[np.uint8]:
    blocks = np.frombuffer(body, np.uint8).reshape(-1, 16)
    return np.concatenate((np.full((len(blocks), 1), kind, np.uint8), blocks), axis=1)


def _column(where: NDArray[np.bool_], rows: NDArray[np.uint8]) -> pl.Series:
    """The bytes of ``rows`` in the places ``where``, null elsewhere, without an object a value."""
    offsets = np.concatenate(([0], np.cumsum(where * rows.shape[1]))).astype(np.int64)
    data, bits = pa.py_buffer(rows.tobytes()), pa.py_buffer(np.packbits(where, bitorder="little").tobytes())
    array = pa.Array.from_buffers(
        pa.large_binary(), len(where), [bits, pa.py_buffer(offsets.tobytes()), data]
    )
    return pl.Series(array, dtype=pl.Binary)


def _merge(column: pl.Series, where: NDArray[np.bool_], values: list[bytes]) -> pl.Series:
    more = np.empty(len(where), dtype=object)
    more[where] = values
    return column.zip_with(pl.Series(~where), pl.Series(more.tolist(), dtype=pl.Binary))
