"""Reading and validating a register of people from CSV: rows a second, and the memory it takes however long the file.

The work runs in a process of its own, whose peak resident size is reported: reading alone, then reading with the
register's whole validation (ID check digits, dates, codes, duplicate keys over the whole file).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HEADER = "人员编号,身份证号,姓名,性别,出生日期,户籍地代码,手机号,房屋编号,户号,人员类别,入住日期\n"
BLOCK = 100_000
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])

_WORK = """
import json, resource, sys, time
from intake.city import Source
from intake.pipeline import read_validated
from intake.reader import open_source
from population.register.schemas import SCHEMAS

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, validate = sys.argv[1], sys.argv[2] == "validate"
source = Source(name="people", kind="persons", file=path)
base, begun = peak(), time.perf_counter()
with open_source(path) as reader:
    if validate:
        reading = read_validated(reader, SCHEMAS["persons"], source)
        for batch in reading:
            pass
        rows, rejected = reading.rows_read, reading.rows_rejected
    else:
        rows, rejected = sum(batch.height for batch in reader.batches()), 0
    encoding = reader.encoding
seconds = time.perf_counter() - begun
print(json.dumps({"rows": rows, "rejected": rejected, "seconds": seconds, "peak_mib": peak(), "base_mib": base,
                  "encoding": encoding}))
"""


def run(
    rows: int = 2_000_000, encoding: str = "utf-8", zipped: bool = False, most_mib: int = 2048
) -> dict[str, Any]:
    """Rows a second and peak memory in MiB; ``fits`` tells whether the peak stays below ``most_mib``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("people.csv.gz" if zipped else "people.csv")
        write(path, rows, encoding, zipped)
        read, validated = (_measured(path, what) for what in ("read", "validate"))
        size = path.stat().st_size
    if read["rows"] != rows or validated["rows"] != rows or validated["rejected"]:
        raise RuntimeError(f"expected {rows} rows, none rejected: {read}, {validated}")
    return {
        "rows": rows,
        "rows_a_second_read": round(rows / read["seconds"]),
        "rows_a_second_validated": round(rows / validated["seconds"]),
        "peak_mib_read": round(read["peak_mib"]),
        "peak_mib_validated": round(validated["peak_mib"]),
        "base_mib": round(validated["base_mib"]),
        "fits": validated["peak_mib"] < most_mib,
        "encoding": validated["encoding"],
        "file_mib": round(size / 2**20),
    }


def _measured(path: Path, what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _WORK, str(path), what], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


def write(path: Path, rows: int, encoding: str, zipped: bool) -> None:
    """A file of ``rows`` people, each with an own key and a right ID number."""
    with gzip.open(path, "wb", 1) if zipped else path.open("wb") as out:
        out.write(HEADER.encode(encoding))
        for start in range(0, rows, BLOCK):
            out.write(_block(start, min(BLOCK, rows - start)).encode(encoding))


def _block(start: int, rows: int) -> str:
    number = np.arange(start, start + rows)
    days = np.datetime64("1940-01-01") + number % 30_000
    born = np.datetime_as_string(days, unit="D")
    order = number // 30_000 % 1000
    first = [f"440304{b[:4]}{b[5:7]}{b[8:]}{o:03d}" for b, o in zip(born, order.tolist(), strict=True)]
    digits = np.frombuffer("".join(first).encode(), dtype=np.uint8).reshape(-1, 17).astype(np.int64) - 48
    check = np.array(list("10X98765432"))[digits @ _WEIGHTS % 11]
    return "".join(
        f"P{n:09d},{f}{c},王{'伟芳娜敏'[n % 4]},{'女男'[o % 2]},{b},440304,1380013{n % 10_000:04d},D{n // 3:08d},"
        f"H{n // 3:08d},{'户籍' if n % 3 else '流动'},2023-01-01\n"
        for n, f, c, o, b in zip(number.tolist(), first, check, order.tolist(), born, strict=True)
    )
