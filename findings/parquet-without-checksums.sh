#!/usr/bin/env bash
# pandas 2.3.3, pyarrow 25.0.1 (2026-11-30).
#
# A guess: a Parquet file in which a disk has turned one bit cannot be read any more, compressed as it is. Seen: pandas
# writes no checksums of pages (pyarrow's write_page_checksum is False), zstd frames carry none either, and of all
# single flipped bits some are read without an error as a table with other content or another shape. The others change
# nothing or end in errors of many classes, not in pyarrow's own alone.
#
# Output seen (lines of errors left out):
#   2962 bytes, one bit of each turned in turn:
#     other content: 256
#     other rows or columns: 24
#     the same: 1100
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pandas==2.3.3 pyarrow==25.0.1
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import collections
import io

import pandas as pd

rows = [{"id": f"problem-{i}", "sample": i % 4, "response": f"{i} plus {i} is {2 * i}, so the answer is {2 * i}."} for i in range(60)]
table = pd.DataFrame(rows)
stream = io.BytesIO()
table.to_parquet(stream, index=False, compression="zstd")
written = stream.getvalue()
found = collections.Counter()
for place in range(len(written)):
    damaged = bytearray(written)
    damaged[place] ^= 1 << (place % 8)
    try:
        read = pd.read_parquet(io.BytesIO(bytes(damaged)))
    except Exception as error:
        found[f"error: {type(error).__name__}"] += 1
        continue
    if list(read.columns) != list(table.columns) or len(read) != len(table):
        found["other rows or columns"] += 1
    else:
        found["the same" if read.equals(table) else "other content"] += 1
print(f"{len(written)} bytes, one bit of each turned in turn:")
for what, count in sorted(found.items()):
    print(f"  {what}: {count}")
assert found["other content"] + found["other rows or columns"] > 0, found
PYTHON
