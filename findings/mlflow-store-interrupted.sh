#!/usr/bin/env bash
# MLflow 3.17.2, with its SQLite store (2026-11-30).
#
# A guess: a tracking store whose making was interrupted is finished, or made anew, by the next program that opens it:
# SQLite itself survives any kill. Seen: the store's tables are made by a chain of migrations that are no transactions
# under SQLite, and the version that is written down lags behind the tables. After a kill in the middle every later
# opening repeats a step that was done and ends in an error, for ever; only deleting the file helps. Where the kill
# falls exactly between two steps the next opening succeeds.
#
# Output seen (sizes vary, and so does which step fails: "duplicate column name" is another):
#   killed at 159744 bytes: every later opening ends with already exists
#   killed at 258048 bytes: every later opening ends with already exists
#   killed at 356352 bytes: every later opening ends with already exists
#   killed at 450560 bytes: every later opening ends with already exists
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mlflow==3.17.2
cd "$work"
MLFLOW_DISABLE_TELEMETRY=true "$work/venv/bin/python" - <<'PYTHON'
import os
import re
import subprocess
import sys
import time

OPEN = "import sys; from mlflow.tracking import MlflowClient; MlflowClient('sqlite:///' + sys.argv[1]).search_experiments()"


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


broken = 0
for number, enough in enumerate((150_000, 250_000, 350_000, 450_000)):
    name = f"store{number}.db"
    maker = subprocess.Popen([sys.executable, "-c", OPEN, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while size(name) < enough and maker.poll() is None:
        time.sleep(0.005)
    maker.kill()
    maker.wait()
    at = size(name)
    for _ in range(2):  # the second opening is no better than the first
        again = subprocess.run([sys.executable, "-c", OPEN, name], capture_output=True, text=True)
    said = re.findall(r"duplicate column name|already exists", again.stderr)
    if again.returncode == 0:
        print(f"killed at {at} bytes: opens again")
    else:
        print(f"killed at {at} bytes: every later opening ends with {said[-1] if said else again.stderr.strip()[-200:]}")
        broken += bool(said)
assert broken, "every store could be opened again"
PYTHON
