"""Price files in Parquet, by an optional extra: their columns as the CSV that everything else reads."""

from __future__ import annotations

import csv
import io

from keeper.core.risk.files import MOST_ROWS, BadPriceFileError

MAGIC = b"PAR1"
MISSING = (
    "is Parquet, which needs an extra: pip install 'position-keeper[parquet]'; or write it as CSV "
    "(timestamp,open,high,low,close)"
)
INDEX = "__index_level_0__"
"""What pandas calls an index without a name."""


def as_csv(data: bytes) -> str:
    """Return the columns of a Parquet file as CSV, times in unix seconds. Raises BadPriceFileError."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        raise BadPriceFileError(MISSING) from None
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows > MOST_ROWS:
            raise BadPriceFileError(f"has more than {MOST_ROWS} rows")
        table = file.read()
        columns = {name: table.column(name) for name in table.column_names}
        for name, column in columns.items():
            if pa.types.is_timestamp(column.type):
                columns[name] = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    except (pa.ArrowException, OSError) as error:
        raise BadPriceFileError(f"is no whole Parquet file ({str(error).splitlines()[0][:80]})") from None
    head = ["timestamp" if name == INDEX else name for name in columns]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows(zip(*(column.to_pylist() for column in columns.values()), strict=True))
    return out.getvalue()
