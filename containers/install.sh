#!/bin/sh
# What an image is made of. Run while an image is built, by the Dockerfile and the Apptainer definition alike:
#   install.sh system LOCK          a user, and what the packages need of Debian when they run
#   install.sh packages LOCK        /opt/venv: exactly envs/LOCK.lock, and this package as the one in /relax
#   install.sh code COMMIT DIRTY    /relax: read by everyone, results/ written by everyone; what is inside, as files
set -eu
umask 022
# Apptainer hands the host's environment on, also while it builds.
unset PYTHONHOME PYTHONPATH PIP_FIND_LINKS PIP_EXTRA_INDEX_URL
uv_version=0.13.9
torch_index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}

system() {
  # Uid 1000 is who the first user of most machines is, so that a mounted folder is theirs.
  echo 'relax:x:1000:1000::/tmp:/bin/sh' >> /etc/passwd
  echo 'relax:x:1000:' >> /etc/group
  [ "$1" = cuda ] || return 0
  # Triton compiles a small C file for each kernel when it runs: the one compiler in an image.
  apt-get update -q
  if [ "$(command -v python3.11)" = /usr/bin/python3.11 ]; then headers=libpython3.11-dev; else headers=; fi
  apt-get install -q -y --no-install-recommends gcc libc6-dev $headers
  rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
}

packages() {
  lock=/relax/envs/$1.lock
  tools=$(mktemp -d)
  trap 'rm -rf "$tools"' EXIT
  export UV_NO_CACHE=1 TMPDIR="$tools"
  python3.11 -m venv "$tools/venv"
  python3.11 -m venv --without-pip /opt/venv
  pip="$tools/venv/bin/python -m pip --quiet --disable-pip-version-check --no-cache-dir"
  uv="$tools/venv/bin/uv pip install --quiet --python /opt/venv/bin/python --no-deps --no-build-isolation"
  torch_from="--default-index $torch_index"
  if ls "/mnt/$1"/*.whl > /dev/null 2>&1; then
    # Wheels from a mounted folder, no network: containers/wheels.sh.
    from="--no-index --find-links /mnt/$1" torch_from=
  else
    from=
  fi
  $pip install $from "uv==$uv_version"
  # setuptools comes first, as it builds the packages that have no wheel; the CPU build of torch has its own index.
  grep '^setuptools==' "$lock" > "$tools/first"
  grep '^torch==' "$lock" > "$tools/torch"
  grep -v -e '^torch==' -e '^setuptools==' "$lock" > "$tools/rest"
  [ "$1" = cpu ] || torch_from=
  $uv $from -r "$tools/first"
  $uv $from $torch_from -r "$tools/torch"
  $uv $from -r "$tools/rest"
  # The package's own files come later and leave this layer alone.
  mkdir -p /relax/relax
  touch /relax/README.md /relax/relax/__init__.py
  $uv $from -e /relax
  # The packages' own tests: a tenth of the whole, and nothing imports them.
  find /opt/venv/lib \( -type d -name tests -o -path '*/torch/test' -o -path '*/torch/bin/test_*' \) -prune \
    -exec rm -rf {} +
  # Nobody can write bytecode into an image, and without it every job would compile transformers again.
  # (A few packages ship templates that are no valid Python; compileall says so and goes on.)
  python3.11 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib > /dev/null || true
  rm -f /opt/venv/.lock
}

code() {
  cd /relax
  find . -name __pycache__ -prune -exec rm -rf {} +
  printf '{"commit": "%s", "dirty": %s}\n' "$1" "$2" > commit.json
  /opt/venv/bin/python containers/packages.py envs/*.lock > packages.json
  /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash relax
  # Mounted folders hide what the package's links lead to.
  find relax -type l -exec sh -c 'cp --remove-destination "$(readlink -f "$1")" "$1"' sh {} \;
  # Snakemake's memory lies in the mounted folder, so that another container goes on from it.
  ln -s results/.snakemake .snakemake
  chmod -R a+rX,go-w /relax
  chmod 1777 results
}

"$@"
