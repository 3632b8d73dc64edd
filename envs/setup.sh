#!/usr/bin/env bash
# Make .venv at the repository root from envs/<kind>.lock (kind: cpu, the default, or cuda).
# Run again at any time: with the lock unchanged it does nothing, after an interruption it goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-cpu}
lock="envs/$kind.lock"
stamp=".venv/relax-$kind.stamp"
uv_version=0.13.9
torch_index=${RELAX_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 4; }

[ -f "$lock" ] || die "no lock file $lock; choose cpu or cuda."
wanted=$(cat "$lock" pyproject.toml envs/setup.sh | sha256sum | cut -c1-16)
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ]; then
  exit 0
fi

# What the set-up needs from the machine, asked for before anything is made.
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
  die "$lock is resolved for Linux x86-64, this is $(uname -s) $(uname -m); use the container (containers/README.md)."
python=${PYTHON:-$(command -v python3.11 || true)}
[ -n "$python" ] || die "python3.11 not found; install Python 3.11 or name it with PYTHON=/path/to/python3.11."
[ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = 3.11 ] ||
  die "$python is $("$python" --version 2>&1), the locks are for Python 3.11."
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  die "$python has no venv module; install it (Debian and Ubuntu: python3.11-venv)."
command -v git >/dev/null || die "git not found; run records need it to name the commit."
[ -w . ] || die "$(pwd) is not writable."
need_gb=4; [ "$kind" = cpu ] || need_gb=15
free_gb=$(($(df -Pk . | awk 'NR==2 {print $4}') / 1048576))
[ "$free_gb" -ge "$need_gb" ] || die "$free_gb GB free on this disk, $need_gb GB needed for the environment."

say "making .venv with $("$python" --version 2>&1) from $lock ($(grep -c == "$lock") packages, about a minute)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)
[ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$uv_version" ] || "${pip[@]}" install "uv==$uv_version"

# uv does not read pip's configuration; somebody behind a mirror has it there.
index=$("${pip[@]}" config get global.index-url 2>/dev/null || true)
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
export VIRTUAL_ENV="$PWD/.venv" UV_LINK_MODE=${UV_LINK_MODE:-copy}
rest=$(mktemp)
trap 'rm -f "$rest"' EXIT

if [ "$kind" = cpu ]; then
  torch=$(grep '^torch==' "$lock")
  if [ "$(.venv/bin/python -c 'import torch; print("torch==" + torch.__version__)' 2>/dev/null)" != "$torch" ]; then
    say "installing $torch"
    # The local version +cpu makes a wrong source fail instead of delivering a CUDA build.
    "${pip[@]}" install --no-deps "$torch" 2>/dev/null ||
      "${pip[@]}" install --no-deps --index-url "$torch_index" "$torch" ||
      die "$torch found neither in pip's configured sources nor at $torch_index; set RELAX_TORCH_INDEX."
  fi
  grep -v '^torch==' "$lock" > "$rest"
else
  cp "$lock" "$rest"
fi
say "installing the other packages"
.venv/bin/uv pip install --quiet --no-deps -r "$rest"
.venv/bin/uv pip install --quiet --no-deps -e .
say "checking that it imports (and compiling it once, so that no job has to)"
env -u PYTHONDONTWRITEBYTECODE .venv/bin/python - <<'PYTHON'
import lm_eval.models.huggingface, lm_eval.tasks, matplotlib.pyplot, mlflow.tracking, snakemake.cli, torch
from trl import GRPOTrainer, SFTTrainer
from transformers import Qwen2ForCausalLM
print("setup: torch", torch.__version__, "- CUDA", torch.version.cuda or "none")
PYTHON
printf '%s' "$wanted" > "$stamp"
say "done"
