#!/usr/bin/env bash
# Make .venv-latest with the newest releases that pyproject.toml admits, print their versions, and run there the tests
# that bind to these libraries. The environment is made anew each time, so that nothing in it is older than it must be.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'latest: %s\n' "$*"; }
die() { printf 'latest: %s\n' "$*" >&2; exit 4; }

folder=.venv-latest
uv=.venv/bin/uv
torch_index=${RELAX_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
[ -x "$uv" ] || die "no $uv; make setup brings it."
# uv does not read pip's configuration; somebody behind a mirror has it there.
index=$(.venv/bin/python -m pip --disable-pip-version-check config get global.index-url 2> /dev/null || true)
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"

"$uv" venv --quiet --clear --python .venv/bin/python "$folder"
install=("$uv" pip install --quiet --python "$folder/bin/python")
# The build for CPUs has an index of its own; where that cannot be reached, the build for GPUs runs on a CPU too.
"${install[@]}" --default-index "$torch_index" torch 2> /dev/null || "${install[@]}" torch ||
  die "no torch could be installed; name an index that has it with RELAX_TORCH_INDEX."
"${install[@]}" --editable '.[dev]' || die "the newest releases that pyproject.toml admits cannot be installed together."

"$folder/bin/python" - << 'PYTHON'
from importlib.metadata import requires, version
from packaging.requirements import Requirement
direct = [Requirement(text) for text in requires("relax-rl")]
for name in sorted(r.name for r in direct if r.marker is None):
    print(f"latest: {name} {version(name)}")
PYTHON
# vLLM cannot be installed without CUDA; whether the ranges go together with one can be told all the same.
"$uv" pip compile --quiet --no-header --no-annotate --python "$folder/bin/python" --extra cuda pyproject.toml |
  grep -E '^(vllm|torch|transformers|trl|deepspeed)==' | sed 's/^/latest: with the extra cuda, which is not tested here: /' ||
  die "the ranges of the extra cuda cannot be resolved together."

# What binds to the libraries: TRL's private names, its trainer, lm-eval, MLflow's store, and the analysis of a model.
tests=(
  tests/training/test_trl_contract.py tests/training/test_trainer.py tests/training/test_trainer_in_place.py
  tests/training/test_trainer_resume.py tests/training/test_trainer_truncated.py tests/training/test_trainer_vision.py
  tests/evaluation tests/store tests/models/test_policy.py tests/latent/test_dsd.py
)
exec "$folder/bin/python" -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow and not browser" "${tests[@]}"
