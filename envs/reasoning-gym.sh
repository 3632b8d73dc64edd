#!/usr/bin/env bash
# Make .venv-reasoning-gym, which has all that .venv has and envs/reasoning-gym.lock, and run the tests that need the
# library there. With the lock unchanged the environment is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
die() { printf 'reasoning-gym: %s\n' "$*" >&2; exit 4; }

folder=.venv-reasoning-gym
lock=envs/reasoning-gym.lock
[ -x .venv/bin/python ] || die "no .venv; make setup makes it."
packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
wanted=$(cat "$lock" envs/reasoning-gym.sh <(printf '%s' "$packages") | sha256sum | cut -c1-16)
if [ "$(cat "$folder/stamp" 2> /dev/null || true)" != "$wanted" ]; then
  rm -rf "$folder"
  .venv/bin/python -m venv "$folder"
  # A virtual environment does not see the packages of the one that it is made from.
  printf '%s\n' "$packages" > "$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/relax.pth"
  "$folder/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps --requirement "$lock" ||
    die "the packages of $lock cannot be installed; they need a package index, and pycosat needs a C compiler."
  printf '%s' "$wanted" > "$folder/stamp"
fi
exec "$folder/bin/python" -m pytest -m reasoning_gym tests/tasks
