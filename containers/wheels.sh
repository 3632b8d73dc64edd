#!/usr/bin/env bash
# Fill containers/wheels/LOCK/ with envs/LOCK.lock as wheels: wheels.sh [cpu|cuda]. A build then asks no package index,
# so this is for machines that reach one while their builds do not.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=${1:-cpu}
[ -f "envs/$lock.lock" ] || { echo "wheels: no lock file envs/$lock.lock; choose cpu or cuda." >&2; exit 4; }
wanted=$(cat "envs/$lock.lock" containers/install.sh | sha256sum | cut -c1-16)
folder=containers/wheels/$lock
stamp=$folder/.stamp
[ "$(cat "$stamp" 2> /dev/null || true)" != "$wanted" ] || exit 0
python=${PYTHON:-python3.11}
torch_index=${RELAX_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
rest=$(mktemp)
trap 'rm -f "$rest"' EXIT
sed -n 's/^uv_version=/uv==/p' containers/install.sh > "$rest"
# Three equals signs: to pip the CPU build is also a torch of the version without +cpu.
grep -v '^torch==.*+cpu$' "envs/$lock.lock" | sed 's/^torch==/torch===/' >> "$rest"
wheel=("$python" -m pip --quiet --disable-pip-version-check wheel --no-deps --wheel-dir "$folder")
"${wheel[@]}" -r "$rest"
for torch in $(grep '^torch==.*+cpu$' "envs/$lock.lock"); do
  "${wheel[@]}" "$torch" 2> /dev/null || "${wheel[@]}" --index-url "$torch_index" "$torch"
done
printf '%s' "$wanted" > "$stamp"
