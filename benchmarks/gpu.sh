#!/usr/bin/env bash
# The speed tests on a machine with a CUDA device, in less than ten minutes:
#
#   benchmarks/gpu.sh OUT [WHEELS]
#
# OUT is the folder for the numbers, as JSON and as tables. The machine brings Python and torch. WHEELS is a folder with
# wheels of whatever else the machine lacks; they are installed without an index, into a virtual environment in a
# temporary folder.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
wheels=${2:+$(cd "$2" && pwd)}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH=$PWD HF_HUB_OFFLINE=1

python=python3
if [ -n "$wheels" ]; then
    environment=$(mktemp -d)
    trap 'rm -rf "$environment"' EXIT
    python3 -m venv --system-site-packages "$environment"
    python=$environment/bin/python
    "$python" -m pip install --quiet --no-index --no-deps "$wheels"/*.whl
fi

"$python" -c 'import torch; torch.cuda.is_available() or exit("gpu.sh: torch finds no CUDA device; run make bench on a CPU.")'
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$out/device.txt"
"$python" -m pip list --format=freeze >"$out/versions.txt"

# A missed target is a result too: the other speed tests run all the same.
code=0
measure() {
    timeout "$2" "$python" "benchmarks/$1.py" --out "$out/$1.json" 2>"$out/$1.log" | tee "$out/$1.txt" || code=1
}
measure step 300
measure training 120
measure koopman 170
exit "$code"
