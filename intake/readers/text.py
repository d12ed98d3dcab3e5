"""CSV and its relatives, streamed: any of the known encodings, any delimiter, gzipped or not."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from intake.encoding import CODECS, Guess, Transcoder, detect
from intake.errors import EncodingError, SourceError, SourceTooLarge
from intake.reader import FAULT, LINE, REST, ReaderOptions, SourceReader
from intake.readers import records
from intake.readers.headers import find_layout, name_columns
from intake.readers.stream import chunks, line_of, samples

DELIMITERS = (",", "\t", ";", "|")
_ROLLBACKS_AT_MOST = 10_000
_SURE = 0.5
_CELLS_AT_ONCE = 8_000_000
_CELLS_A_BATCH = 24_000_000


class TextReader(SourceReader):
    """A delimited text file. ``delimiter`` is what was found or declared."""

    format = "csv"

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        super().__init__(path, options)
        head, more = samples(path)
        if not head.strip(b"\0 \t\r\n\xef\xbb\xbf\xfe\xff"):
            raise SourceError("source.empty", file=str(path))
        guess = detect(head, more)
        self._check_declared(guess, head)
        self._guess = guess
        self.encoding = options.encoding or guess.encoding
        text = self._decoded_head(head, guess)
        self._eol = 10 if "\n" in text or "\r" not in text else 13
        self.delimiter = options.delimiter or _sniff(text, path)
        self._data_line = 1
        self._read_header()

    def _check_declared(self, guess: Guess, head: bytes) -> None:
        """A wrong encoding often decodes without complaint, into nonsense: compare with what it looks like."""
        declared = self.options.encoding
        if (
            declared is None
            or guess.encoding in (None, declared)
            or not (guess.sure and guess.margin > _SURE)
        ):
            return
        first = 0 if guess.bom else next((i for i, byte in enumerate(head) if byte > 127), 0)
        raise EncodingError(
            file=str(self.path), encoding=declared, line=head.count(b"\n", 0, first) + 1, offset=first,
            looks_like=guess.encoding, allowed=list(CODECS),
        )  # fmt: skip

    def _decoded_head(self, head: bytes, guess: Guess) -> str:
        codec = CODECS[self.encoding or "UTF-8"]
        return head[guess.bom : 262_144].decode(codec, "ignore")

    def _transcoded(self) -> Iterator[tuple[bytes, bool]]:
        """Chunks of UTF-8, each with whether it is the last; ``self.encoding`` follows what is found."""
        transcode = Transcoder(str(self.path), self.options.encoding, self._guess)
        before: bytes | None = None
        try:
            for piece in transcode(chunks(self.path)):
                if before is not None:
                    yield before, False
                before = piece
        except SourceError as problem:
            if problem.code in ("source.truncated", "source.damaged"):
                problem.params["line"] = line_of(self.path, problem.params["offset"], bytes([self._eol]))
            raise
        self.encoding = transcode.encoding or "UTF-8"
        if not transcode.sure:
            self.warn("encoding_guessed", encoding=self.encoding)
        yield before or b"", True

    def _read_header(self) -> None:
        first: list[list[str]] = []
        lines: list[int] = []
        want = max(12, (self.options.header_rows or 1) + 1)
        scanner = _Scanner(self, width=1)
        for piece, last in self._head_pieces():
            for begin, end, line, flags in scanner.boundaries(piece, last):
                if line > self.options.skip_rows and not flags & records.BLANK:
                    raw = bytes(scanner.buffer[begin:end])
                    first.append(records.split(raw, self.delimiter.encode()))
                    lines.append(line)
            if len(first) >= want:
                break
        self.warnings.clear()
        if not first:
            raise SourceError("source.empty", file=str(self.path))
        layout = find_layout([[cell or None for cell in row] for row in first[:want]])
        rows = self.options.header_rows or layout.rows
        titles = layout.titles if self.options.header_rows is None else 0
        header = first[titles : titles + rows]
        width = max(len(row) for row in header)
        if width > self.options.limits.columns:
            limit = self.options.limits.columns
            raise SourceError("source.too_many_columns", file=str(self.path), found=width, limit=limit)
        if len(first) <= titles + rows:
            raise SourceError("source.header_only", file=str(self.path))
        self.headers, renamed = name_columns(header, width)
        self._data_line = lines[titles + rows]
        if titles:
            self.warn("title_rows_skipped", rows=titles)
        if rows > 1:
            self.warn("header_rows_joined", rows=rows)
        for old, new in renamed:
            self.warn("header_renamed", header=old, name=new)
        self._opening = list(self.warnings)

    def _head_pieces(self) -> Iterator[tuple[bytes, bool]]:
        """Small pieces of the first chunks, so that a look at the header does not split millions of records."""
        for piece, last in self._transcoded():
            for at in range(0, max(len(piece), 1), 262_144):
                yield piece[at : at + 262_144], last and at + 262_144 >= len(piece)

    def batches(self, rows: int = 200_000) -> Iterator[pl.DataFrame]:
        self.warnings = list(self._opening)
        scanner = _Scanner(self, len(self.headers))
        held: list[pl.DataFrame] = []
        height = 0
        for piece, last in self._transcoded():
            for frame in scanner.frames(piece, last):
                held.append(frame)
                height += frame.height
            rows = min(
                rows, max(_CELLS_A_BATCH // len(self.headers), 1)
            )  # wide tables come in shorter batches
            while height >= rows:
                whole = pl.concat(held, rechunk=False)
                yield whole[:rows]
                held, height = [whole[rows:]], height - rows
        if height:
            yield pl.concat(held, rechunk=False)
        if scanner.blank:
            self.warn("blank_rows_skipped", rows=scanner.blank)

    @property
    def data_line(self) -> int:
        """Line of the first record after the header."""
        return self._data_line


class _Scanner:
    """Carries the unfinished end of one chunk over to the next."""

    def __init__(self, reader: TextReader, width: int) -> None:
        self.reader = reader
        self.width = width
        self.delimiter = ord(reader.delimiter)
        self.limits = reader.options.limits
        self.buffer: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self.line = 1
        self.blank = 0
        self.rollbacks = 0
        self._carry = b""
        self._waiting: list[bytes] = []

    def _take(self, piece: bytes, last: bool) -> bool:
        """Whether there is enough to scan: an unfinished record is not looked at again before it has doubled."""
        self._waiting.append(piece)
        more = sum(map(len, self._waiting))
        if not last and more < min(len(self._carry), self.limits.record_bytes):
            return False
        self.buffer = np.frombuffer(b"".join((self._carry, *self._waiting)), dtype=np.uint8)
        self._carry, self._waiting = b"", []
        return True

    def _keep(self, position: int, line: int, last: bool) -> None:
        self._carry = b"" if last else self.buffer[position:].tobytes()
        self.line = line
        if len(self._carry) > self.limits.record_bytes:
            self._too_large(line, self.limits.record_bytes)

    def _too_large(self, line: int, limit: int) -> None:
        raise SourceTooLarge(file=str(self.reader.path), line=line, limit=limit)

    def _scan(
        self, begin: int, last: bool, line: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], int, int, bool]:
        """Records from ``begin`` on, where the next one begins and its line, and whether there was room for no more."""
        lines = int(np.count_nonzero(self.buffer[begin:] == self.reader._eol)) + 1
        room = min(lines, max(_CELLS_AT_ONCE // self.width, 1_000))
        starts = np.zeros((room, self.width), dtype=np.int32)
        ends = np.zeros((room, self.width), dtype=np.int32)
        found = np.empty((room, 5), dtype=np.int64)
        count, position, line = records.scan(
            self.buffer,
            begin,
            len(self.buffer),
            last,
            self.delimiter,
            self.reader._eol,
            line,
            starts,
            ends,
            found,
        )
        full = count == room and position < len(self.buffer)
        return starts[:count], ends[:count], found[:count], position, line, full

    def boundaries(self, piece: bytes, last: bool) -> list[tuple[int, int, int, int]]:
        """(first byte, byte after, line, flags) of each record."""
        if not self._take(piece, last):
            return []
        position, line, all_found = 0, self.line, []
        while True:
            _, _, found, position, line, full = self._scan(position, last, line)
            all_found += [(int(r[0]), int(r[1]), int(r[2]), int(r[4])) for r in found]
            if not full:
                break
        self._keep(position, line, last)
        return all_found

    def frames(self, piece: bytes, last: bool) -> Iterator[pl.DataFrame]:
        if not self._take(piece, last):
            return
        position, line = 0, self.line
        while True:
            starts, ends, found, stop, stop_line, full = self._scan(position, last, line)
            bad = self._swallowed(found)
            if bad is None:
                if len(found):
                    yield self._frame(starts, ends, found)
                if not full:
                    break
                position, line = stop, stop_line
                continue
            yield self._frame(starts[:bad], ends[:bad], found[:bad])
            line = int(found[bad, 2])
            position = self._line_end(int(found[bad, 0]))
            yield self._broken([bytes(self.buffer[found[bad, 0] : position])], [line], ["stray_quote"])
            line += 1
            self.rollbacks += 1
            if self.rollbacks > _ROLLBACKS_AT_MOST:
                raise SourceError("source.unclosed_quote", file=str(self.reader.path), line=line - 1)
        self._keep(stop, stop_line, last)

    def _line_end(self, position: int) -> int:
        hits = np.flatnonzero(self.buffer[position : position + self.limits.record_bytes] == self.reader._eol)
        return position + int(hits[0]) + 1 if len(hits) else len(self.buffer)

    def _swallowed(self, found: npt.NDArray[np.int64]) -> int | None:
        """The first record that a stray quote made out of several lines, None when there is none."""
        several = (found[:, 4] & records.MULTILINE) > 0
        wrong = ((found[:, 4] & records.STRAY) > 0) | (found[:, 3] != self.width)
        for record in np.flatnonzero(several & wrong):
            if found[record, 4] & records.STRAY:
                return int(record)
            second = self._line_end(int(found[record, 0]))
            raw = bytes(self.buffer[second : self._line_end(second)])
            if len(records.split(raw, self.reader.delimiter.encode())) == self.width:
                return int(record)
        return None

    def _frame(
        self, starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], found: npt.NDArray[np.int64]
    ) -> pl.DataFrame:
        wanted = found[:, 2] >= self.reader.data_line
        blank = (found[:, 4] & records.BLANK) > 0
        self.blank += int((blank & wanted & (found[:, 3] > 1)).sum())
        wanted &= ~blank
        self._check_sizes(starts, ends, found, wanted)
        faulty = (found[:, 3] != self.width) | ((found[:, 4] & (records.NUL | records.STRAY)) > 0)
        rows = np.flatnonzero(wanted & ~faulty)
        columns = [
            records.column(self.buffer, starts, ends, rows, number).alias(header)
            for number, header in enumerate(self.reader.headers)
        ]
        empty = pl.Series(FAULT, [None], dtype=pl.String)
        good = pl.DataFrame(
            [*columns, pl.Series(LINE, found[rows, 2]), empty.new_from_index(0, len(rows)),
             empty.new_from_index(0, len(rows)).alias(REST)]
        )  # fmt: skip
        wrong = np.flatnonzero(wanted & faulty)
        if not len(wrong):
            return good
        raw = [bytes(self.buffer[found[r, 0] : found[r, 1]]) for r in wrong]
        codes = [_fault(int(found[r, 4]), int(found[r, 3]), self.width) for r in wrong]
        return pl.concat([good, self._broken(raw, [int(found[r, 2]) for r in wrong], codes)]).sort(LINE)

    def _check_sizes(
        self,
        starts: npt.NDArray[np.int32],
        ends: npt.NDArray[np.int32],
        found: npt.NDArray[np.int64],
        wanted: npt.NDArray[np.bool_],
    ) -> None:
        sizes = found[:, 1] - found[:, 0]
        for record in np.flatnonzero(wanted & (sizes > self.limits.cell_bytes)):
            line = int(found[record, 2])
            if sizes[record] > self.limits.record_bytes:
                self._too_large(line, self.limits.record_bytes)
            fields = min(int(found[record, 3]), self.width)
            stop = np.where(ends[record] < 0, -1 - ends[record], ends[record])
            if fields and int((stop - starts[record])[:fields].max()) > self.limits.cell_bytes:
                self._too_large(line, self.limits.cell_bytes)

    def _broken(self, raw: list[bytes], lines: list[int], codes: list[str]) -> pl.DataFrame:
        """Records that cannot be trusted as rows: what can be told of their fields, and why."""
        width = self.width
        split = [records.split(record, self.reader.delimiter.encode()) for record in raw]
        rest = []
        for number, fields in enumerate(split):
            extra = fields[width:]
            if codes[number] == "too_many_fields" and not any(cell.strip() for cell in extra):
                codes[number] = ""  # only delimiters too many at the end: nothing is lost
            rest.append(
                json.dumps({"found": len(fields), "expected": width, "rest": extra}, ensure_ascii=False)
            )
        cells = [[(f[c] or None) if c < len(f) else None for f in split] for c in range(width)]
        data = {h: pl.Series(cells[c], dtype=pl.String) for c, h in enumerate(self.reader.headers)}
        return pl.DataFrame(data).with_columns(
            pl.Series(LINE, lines, dtype=pl.Int64),
            pl.Series(FAULT, [code or None for code in codes], dtype=pl.String),
            pl.Series(REST, rest, dtype=pl.String),
        )


def _fault(flags: int, fields: int, width: int) -> str:
    if flags & records.NUL:
        return "nul_byte"
    if flags & records.STRAY:
        return "stray_quote"
    return "too_many_fields" if fields > width else "too_few_fields"


def _sniff(text: str, path: Path) -> str:
    """The delimiter that splits the first lines most evenly; the file's suffix decides between equals."""
    complete = text[: text.rfind("\n") + 1] or text
    best, score = ("\t" if ".tsv" in path.suffixes else ","), 0.0
    for delimiter in DELIMITERS:
        try:
            rows = [row for row, _ in zip(_plain_rows(complete, delimiter), range(100), strict=False) if row]
        except csv.Error:
            continue
        width, often = Counter(len(row) for row in rows).most_common(1)[0]
        if width < 2:
            continue
        found = often / len(rows) + min(width, 50) / 1000 + (0.02 if delimiter == best else 0)
        if found > score:
            best, score = delimiter, found
    return best


def _plain_rows(text: str, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(2**30)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
