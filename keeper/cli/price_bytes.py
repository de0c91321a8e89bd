"""The bytes of a price file as text: plain, packed as exchanges ship them (zip, gzip), or Parquet. Bounded in size."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

from keeper.cli.parquet import MAGIC as PARQUET
from keeper.cli.parquet import as_csv
from keeper.core.risk.files import BadPriceFileError

MOST_BYTES = 2**30
ZIP, GZIP, FEATHER = b"PK\x03\x04", b"\x1f\x8b", b"ARROW1"
PARQUET_FORM = "Parquet"


def text_of(path: Path) -> tuple[str, str | None]:
    """Return the text of a file, and its form where the bytes say it. Raises BadPriceFileError, OSError."""
    if path.stat().st_size > MOST_BYTES:
        raise BadPriceFileError(f"is larger than {MOST_BYTES >> 20} MiB: cut it into parts, and give them all")
    data = _unpacked(path.read_bytes())
    if data.startswith(PARQUET):
        return as_csv(data), PARQUET_FORM
    if data.startswith(FEATHER):
        raise BadPriceFileError("is Feather: write it as JSON, CSV or Parquet (freqtrade convert-data does)")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace"), None
    return data.decode("utf-8-sig", errors="replace"), None


def _unpacked(data: bytes) -> bytes:
    try:
        if data.startswith(ZIP):
            return _from_zip(data)
        if data.startswith(GZIP):
            with gzip.open(io.BytesIO(data)) as stream:
                return _bounded(stream.read(MOST_BYTES + 1))
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise BadPriceFileError(f"cannot be unpacked ({error}): get it again, or unpack it yourself") from None
    return data


def _from_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        files = [info for info in packed.infolist() if not info.is_dir()]
        if len(files) != 1:
            raise BadPriceFileError(f"holds {len(files)} files: unpack it, and give the ones that are meant")
        with packed.open(files[0]) as stream:
            return _bounded(stream.read(MOST_BYTES + 1))


def _bounded(data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise BadPriceFileError(f"is larger than {MOST_BYTES >> 20} MiB unpacked: cut it into parts, and give them all")
    return data
