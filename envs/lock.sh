#!/usr/bin/env bash
# Resolve the two locks again: cuda first, then cpu held to the same versions. Needs uv on PATH. Versions stay as they
# are where pyproject.toml still admits them; `envs/lock.sh --upgrade` takes the newest.
# The CPU lock differs in one line that matters: torch carries the local version +cpu, so that no
# index can hand out a CUDA build by accident.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find_links=()
[ -z "${PIP_FIND_LINKS:-}" ] || find_links=(--find-links "$PIP_FIND_LINKS")
common=("$@" --quiet --no-header --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28)
for kind in cpu cuda; do cp "envs/$kind.lock" "$work"; done
uv pip compile pyproject.toml --extra dev --extra docs --extra cuda "${common[@]}" --output-file "$work/cuda.lock"
grep -v '^torch==' "$work/cuda.lock" > "$work/constraints"
sed -n 's/^torch==.*/&+cpu/p' "$work/cuda.lock" >> "$work/constraints"
uv pip compile pyproject.toml --extra dev --extra docs "${common[@]}" "${find_links[@]}" \
  --constraint "$work/constraints" --output-file "$work/cpu.lock"

for kind in cpu cuda; do
  {
    echo "# Python 3.11, Linux x86-64. Written by envs/lock.sh from pyproject.toml; do not edit."
    cat "$work/$kind.lock"
  } > "envs/$kind.lock"
done
wc -l envs/cpu.lock envs/cuda.lock
