"""Which encoding a Chinese (or any other) text file is in, and how to turn it into UTF-8 as a stream.

Method: byte order marks and the pattern of NUL bytes first (UTF-16); then UTF-8, whose multi-byte sequences no
other encoding produces by chance; then GB18030 against Big5 against Windows-1252 by how usual the characters are
that come out. GB 2312 level 1 (rows 16-55) and Big5 level 1 (0xA440-0xC67E) hold the characters of daily use, so
text decoded by the wrong one of the two falls outside of them. charset-normalizer is asked where the two stay close.
Pure ASCII decides nothing: the decision waits for the first other byte, wherever in the stream that is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import charset_normalizer
import numpy as np
import numpy.typing as npt

from intake.errors import EncodingError

CODECS = {
    "UTF-8": "utf-8",
    "GB18030": "gb18030",
    "Big5": "big5hkscs",
    "UTF-16LE": "utf-16-le",
    "UTF-16BE": "utf-16-be",
    "Windows-1252": "cp1252",
}
"""Names as shown and stored -> Python codecs. GBK and GB2312 are subsets of GB18030, CP950 nearly one of Big5-HKSCS."""

_ALIASES = {
    **dict.fromkeys(("utf8", "utf8sig", "ascii", "usascii", "unicode11utf8"), "UTF-8"),
    **dict.fromkeys(("gb18030", "gbk", "gb2312", "cp936", "ms936", "ansi936", "euccn"), "GB18030"),
    **dict.fromkeys(("big5", "cp950", "big5hkscs", "ms950"), "Big5"),
    **dict.fromkeys(("utf16le", "utf16", "unicode", "ucs2", "ucs2le"), "UTF-16LE"),
    **dict.fromkeys(("utf16be", "ucs2be"), "UTF-16BE"),
    **dict.fromkeys(("cp1252", "windows1252", "latin1", "iso88591"), "Windows-1252"),
}

_BOMS = ((codecs.BOM_UTF8, "UTF-8"), (codecs.BOM_UTF16_LE, "UTF-16LE"), (codecs.BOM_UTF16_BE, "UTF-16BE"))


def canonical(name: str) -> str | None:
    """The name under which an encoding is known here, None for one that is not.

    >>> canonical("gb2312"), canonical("utf_8_sig"), canonical("klingon")
    ('GB18030', 'UTF-8', None)
    """
    return _ALIASES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


_LONG_SEQUENCE = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


_SEQUENCES_A_BREAK = 25


@dataclass(frozen=True)
class Guess:
    """``encoding`` is None for pure ASCII, where any would do; ``sure`` is False when a second one is close.

    ``margin`` says by how much the second one is behind (characters' mean usualness; 9 is beyond doubt).
    """

    encoding: str | None
    bom: int = 0
    sure: bool = True
    margin: float = 9.0


def detect(sample: bytes, more: Iterable[bytes] = ()) -> Guess:  # noqa: PLR0911 - a list of cases
    """The encoding of text that begins with ``sample``; ``more`` are samples from further on.

    Samples may begin and end inside a character. Raises nothing: text that fits no encoding gives the best guess
    with ``sure`` False and fails, with its place, when it is decoded.

    >>> detect("姓名,出生日期\\n王芳,1990-05-01\\n".encode("gbk"))  # doctest: +ELLIPSIS
    Guess(encoding='GB18030', bom=0, sure=True, margin=...)
    >>> detect(b"id,name\\n").encoding is None
    True
    """
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return Guess(encoding, len(bom))
    wide = _utf16(sample)
    if wide is not None:
        return Guess(wide)
    samples = [part for part in (sample, *more) if not part.isascii()]
    if not samples:
        return Guess(None)
    utf8 = all(_is_utf8(part) for part in samples)
    if utf8 and any(_LONG_SEQUENCE.search(part) for part in samples):
        return Guess("UTF-8")
    if _damaged_utf8(samples):
        return Guess("UTF-8", margin=1.0)  # it fails, with its place, when it is decoded
    scores = {"GB18030": 0.0, "Big5": 0.0, "Windows-1252": 0.0}
    for part in samples:
        trimmed = _from_line_start(part, part is sample)
        scores["GB18030"] += _gb18030_score(trimmed) / len(samples)
        scores["Big5"] += _big5_score(trimmed) / len(samples)
        scores["Windows-1252"] += _latin_score(trimmed) / len(samples)
    first, second = sorted(scores, key=lambda name: -scores[name])[:2]
    margin = scores[first] - scores[second]
    if utf8:  # two-byte sequences only: western text in UTF-8, or a few Chinese characters that happen to fit
        chinese = first == "GB18030" and scores[first] > 0.8
        return Guess("GB18030", sure=False, margin=0.0) if chinese else Guess("UTF-8", margin=1.0)
    if margin > 0.15:
        return Guess(first, margin=margin)
    asked = charset_normalizer.from_bytes(
        samples[0][:65536], cp_isolation=["gb18030", "big5hkscs", "cp1252"]
    ).best()
    named = canonical(asked.encoding) if asked is not None else None
    return Guess(named if named in (first, second) else first, sure=False, margin=margin)


def _utf16(sample: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of the ASCII inside (line ends, delimiters) is NUL."""
    even = sample[: len(sample) // 2 * 2]
    pairs = np.frombuffer(even[:65536], dtype=np.uint8).reshape(-1, 2)
    if not len(pairs):
        return None
    high_first = ((pairs[:, 0] == 0) & (pairs[:, 1] != 0) & (pairs[:, 1] < 0x80)).sum()
    low_first = ((pairs[:, 1] == 0) & (pairs[:, 0] != 0) & (pairs[:, 0] < 0x80)).sum()
    zeros = max(high_first, low_first)
    if zeros < 0.04 * len(pairs) or min(high_first, low_first) > 0.1 * zeros:
        return None
    encoding = "UTF-16LE" if low_first > high_first else "UTF-16BE"
    try:
        text = codecs.getincrementaldecoder(CODECS[encoding])("strict").decode(even[:65536])
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else encoding


def _is_utf8(sample: bytes) -> bool:
    """Strictly UTF-8, but for a character cut at either end."""
    start = 0
    while start < min(3, len(sample)) and 0x80 <= sample[start] < 0xC0:
        start += 1
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(sample[start:])
    except UnicodeDecodeError:
        return False
    return True


def _damaged_utf8(samples: Iterable[bytes]) -> bool:
    """Whether almost all of it is UTF-8 and only a byte here and there is not: in no other encoding that happens."""
    long = broken = 0
    for part in samples:
        long += len(_LONG_SEQUENCE.findall(part))
        broken += part.decode("utf-8", "replace").count("\ufffd")
    return long > _SEQUENCES_A_BREAK * broken


def _from_line_start(sample: bytes, whole: bool) -> npt.NDArray[np.uint8]:
    """The sample from its first full line on, so that two-byte characters are not split."""
    start = 0 if whole else sample.find(b"\n") + 1
    return np.frombuffer(sample[start:], dtype=np.uint8)


def _pairs(data: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], int]:
    """Lead and trail bytes of two-byte characters, and how many high bytes belong to none.

    In a run of bytes that starts with a high byte, characters alternate lead and trail; a trail may be ASCII.
    """
    lead: list[int] = []
    trail: list[int] = []
    broken = 0
    values = data[:262_144].tobytes()
    position, end = 0, len(values)
    pattern = re.compile(rb"[\x80-\xff]")
    while True:
        found = pattern.search(values, position)
        if found is None:
            break
        position = found.start()
        if position + 1 >= end:
            break
        first, second = values[position], values[position + 1]
        if first in (0x80, 0xFF) or second < 0x30 or second in (0x7F, 0xFF):
            broken += 1
            position += 1
            continue
        lead.append(first)
        trail.append(second)
        position += 2
    return np.array(lead, dtype=np.uint8), np.array(trail, dtype=np.uint8), broken


def _gb18030_score(data: npt.NDArray[np.uint8]) -> float:
    """Mean usualness of the characters as GB18030: 1 for GB 2312 level 1, less for rarer ones, -3 for none."""
    lead, trail, broken = _pairs(data)
    if not len(lead):
        return -3.0
    value = np.full(len(lead), -0.2)
    value[(trail < 0xA1) & (trail >= 0x40)] = -0.3  # GBK extensions: rare in names, rarer elsewhere
    plain = trail >= 0xA1
    value[plain & (lead >= 0xB0) & (lead <= 0xD7)] = 1.0
    value[plain & (lead >= 0xD8) & (lead <= 0xF7)] = 0.3
    value[plain & (lead >= 0xA1) & (lead <= 0xA3)] = 0.8
    return float((value.sum() - 3.0 * broken) / (len(lead) + broken))


def _big5_score(data: npt.NDArray[np.uint8]) -> float:
    """Mean usualness of the characters as Big5: 1 for level 1, less for level 2 and symbols, -3 for none.

    Two of five Big5 characters have a trail byte below 0x80; GB 2312 has none, so text without any is hardly Big5.
    """
    lead, trail, broken = _pairs(data)
    if not len(lead):
        return -3.0
    valid = (lead >= 0x87) & (((trail >= 0x40) & (trail <= 0x7E)) | (trail >= 0xA1))
    value = np.where(valid, -0.2, -3.0)
    value[valid & (lead >= 0xA4) & (lead <= 0xC6)] = 1.0
    value[valid & (lead >= 0xC9) & (lead <= 0xF9)] = 0.1
    value[valid & (lead >= 0xA1) & (lead <= 0xA3)] = 0.8
    unlikely = 0.0 if (trail < 0x80).any() else 1.0 - 0.6 ** len(lead)
    return float((value.sum() - 3.0 * broken) / (len(lead) + broken)) - unlikely


def _latin_score(data: npt.NDArray[np.uint8]) -> float:
    """Single accented letters between ASCII letters speak for a western encoding; runs of high bytes against it."""
    if not len(data):
        return -3.0
    high = data >= 0x80
    count = int(high.sum())
    if not count:
        return -3.0
    letters = (data >= 0xC0) & (data != 0xD7) & (data != 0xF7)
    alone = high & ~np.r_[False, high[:-1]] & ~np.r_[high[1:], False]
    undefined = np.isin(data, (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return float(
        (0.9 * (alone & letters).sum() - 1.0 * (high & ~alone).sum() - 3.0 * undefined.sum()) / count
    )


class Transcoder:
    """Turns chunks of bytes into chunks of valid UTF-8, strictly.

    ``encoding`` is what was declared, or None to find out from the stream itself. An undecodable byte raises
    ``EncodingError`` naming the line and the offset in the (decompressed) file, and what the bytes look like.
    """

    def __init__(self, file: str, encoding: str | None, guess: Guess) -> None:
        self.file = file
        self.declared = encoding
        self.encoding = encoding or guess.encoding
        self.skip = guess.bom if self.encoding == guess.encoding else 0
        self.sure = guess.sure or encoding is not None
        self._decoder = self._make() if self.encoding else None
        self._offset = 0
        self._line = 1

    def _make(self) -> codecs.IncrementalDecoder:
        assert self.encoding is not None
        return codecs.getincrementaldecoder(CODECS[self.encoding])("strict")

    def __call__(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for number, chunk in enumerate(chunks):
            raw = chunk
            if number == 0 and self.skip:
                raw, self._offset = chunk[self.skip :], self.skip
            if self._decoder is None and not raw.isascii():
                self._decide(raw)
            yield self._text(raw, final=False)
        rest = self._text(b"", final=True)
        if rest:
            yield rest

    def _decide(self, chunk: bytes) -> None:
        guess = detect(chunk.lstrip(b"\0"))
        self.encoding, self.sure = guess.encoding or "UTF-8", guess.sure
        self._decoder = self._make()

    def _text(self, chunk: bytes, final: bool) -> bytes:
        if self._decoder is None:
            self._count(chunk, chunk)
            return chunk
        held = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as problem:
            raise self._refusal(chunk, held, problem) from None
        plain = self.encoding == "UTF-8" and not held and not self._decoder.getstate()[0]
        out = chunk if plain else text.encode("utf-8", "surrogatepass")
        self._count(chunk, out)
        return out

    def _count(self, chunk: bytes, out: bytes) -> None:
        self._offset += len(chunk)
        self._line += out.count(b"\n")

    def _refusal(self, chunk: bytes, held: int, problem: UnicodeDecodeError) -> EncodingError:
        seen = bytes(problem.object)
        before = seen[: problem.start].decode(CODECS[self.encoding or "UTF-8"], "replace")
        looks = detect(seen[max(0, problem.start - 4096) : problem.start + 65536]).encoding
        if looks == self.encoding and self.encoding == "UTF-8":  # all around it is right: the line alone
            line = seen[seen.rfind(b"\n", 0, problem.start) + 1 :].split(b"\n", 1)[0]
            looks = None if _LONG_SEQUENCE.search(line) else detect(line).encoding
        other = looks if looks != self.encoding else None
        code = "source.wrong_encoding" if self.declared else "source.mixed_encoding"
        return EncodingError(
            code if other else "source.undecodable",
            file=self.file,
            encoding=self.encoding,
            line=self._line + before.count("\n"),
            offset=self._offset - held + problem.start,
            looks_like=other or "?",
            allowed=list(CODECS),
        )
