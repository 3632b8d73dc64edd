#!/usr/bin/env bash
# The containers for real, on one Debian machine without a container registry, as root (`make test-container`):
# a base image by mmdebstrap, relax:cpu by podman or buildah, the demo at its smallest in it; then Apptainer from
# Debian sid in a root of its own, relax-cpu.sif, and `snakemake --sdm apptainer` locally and through Slurm, from a
# host environment that holds Snakemake and nothing else.
#
# Everything lies in RELAX_CONTAINER_CACHE (about 10 GB) and is used again; `run.sh --clean` removes it.
# Exit codes: 0 passed, 1 failed, 77 skipped (what is missing is said).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${RELAX_CONTAINER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relax-containers}
passed=0

if [ "${1:-}" = --clean ]; then
  # Podman leaves some of its layers mounted.
  mounted() { awk -v below="$cache/" 'index($2, below) == 1 {print $2}' /proc/mounts; }
  mounted | sort -r | xargs --no-run-if-empty umount
  [ -z "$(mounted)" ] || { echo "something is still in use below $cache" >&2; exit 1; }
  rm -rf "$cache"
  exit
fi

skip() { echo "skipped: $*"; echo "$passed passed, 0 failed, 1 skipped"; exit 77; }

# step NAME FUNCTION: run it, show its output only if it fails, print the seconds.
step() {
  local name=$1 started=$SECONDS log
  log="$cache/logs/$(date +%H%M%S)-$2.log"
  shift
  # A function called in a condition would go on after an error: it gets a shell of its own.
  set +e
  (set -e; "$@") > "$log" 2>&1 < /dev/null
  local code=$?
  set -e
  if [ $code = 77 ]; then skip "$name: $(tail -n 1 "$log")"; fi
  if [ $code != 0 ]; then
    tail -n 40 "$log"
    echo "failed: $name ($((SECONDS - started)) s; $log)"
    echo "$passed passed, 1 failed"
    exit 1
  fi
  passed=$((passed + 1))
  printf '%-48s %4d s  %s\n' "$name" $((SECONDS - started)) "$(sed -n 's/^= //p' "$log" | tail -n 1)"
}

base() {
  [ -s "$cache/base.tar" ] || {
    mmdebstrap --variant=minbase --include=ca-certificates,python3.11,python3.11-venv \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$cache/base.new.tar"
    mv "$cache/base.new.tar" "$cache/base.tar"
  }
  podman image exists "$BASE" || podman import "$cache/base.tar" "$BASE"
  [ -s "$cache/base-docker.tar" ] || {
    podman save --format docker-archive --output "$cache/base-new.tar" "$BASE"
    mv "$cache/base-new.tar" "$cache/base-docker.tar"
  }
  echo "= $(du -m "$cache/base.tar" | cut -f1) MB"
}

# A clone of this repository with its uncommitted changes; what git ignores in it (wheels, images) stays.
clone() {
  [ -d "$cache/clone/.git" ] || git clone --quiet "$repository" "$cache/clone"
  cd "$repository"
  git -C "$cache/clone" fetch --quiet "$repository" HEAD
  git -C "$cache/clone" checkout --quiet --force --detach FETCH_HEAD
  git -C "$cache/clone" clean --quiet -fd
  git ls-files -z --deleted | (cd "$cache/clone" && xargs -0 --no-run-if-empty rm -f)
  git ls-files -z --modified --others --exclude-standard | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || cp --parents --no-dereference "$file" "$cache/clone"
  done
  rm -rf "$cache/clone/results/smoke" "$cache/clone/.snakemake"
  echo "= commit $(git rev-parse --short HEAD), $(git -C "$cache/clone" status --porcelain | wc -l) files changed"
}

wheels() {
  cd "$cache/clone"
  containers/wheels.sh cpu
  echo "= $(ls containers/wheels/cpu | wc -l) wheels, $(du -sm containers/wheels/cpu | cut -f1) MB"
}

image() {
  cd "$cache/clone"
  containers/build.sh cpu
  podman image prune --force --filter until=336h > /dev/null
  echo "= $(($(podman image inspect --format '{{.Size}}' relax:cpu) / 1000000)) MB"
}

inside() {
  local run=(podman run --rm relax:cpu sh -ec)
  # A user without rights; nothing to build with and nothing left of the building.
  "${run[@]}" '[ "$(id -u)" = 1000 ] && ! touch /relax/here /opt/venv/here 2> /dev/null'
  "${run[@]}" 'for tool in cc gcc make git uv; do ! command -v $tool || exit 1; done; ! python -c "import pip"'
  podman run --rm --user 0 relax:cpu sh -ec '[ -z "$(ls -A /mnt)$(ls -A /tmp)" ]; [ ! -e "$(getent passwd 0 | cut -d: -f6)/.cache" ]
    [ -z "$(find / -xdev -name pip.conf -o -xdev -name uv.toml -o -xdev -name "*.whl" -path "/opt/venv/*")" ]'
  podman run --rm relax:cpu relax --help | grep -q 'exit codes'
}

docker_run() {
  local results=$cache/docker-results id
  id=$(cat "$cache/clone/containers/relax-cpu.id")
  rm -rf "$results"
  mkdir "$results"
  chown 4321:4321 "$results"
  run=(podman run --rm --user 4321:4321 --volume "$results:/relax/results" --env "RELAX_IMAGE_DIGEST=$id" relax:cpu)
  run+=(snakemake --cores 2 --quiet host reason --configfile config/smoke.yaml)
  "${run[@]}"
  python3 "$here/check.py" "$results/smoke" "$cache/clone/containers/relax-cpu.packages.json" "$id"
  # Another container goes on from the mounted folder: here, nothing is left to do.
  find "$results/smoke" -name run.json -printf '%p %T@\n' | sort > "$cache/before"
  "${run[@]}"
  find "$results/smoke" -name run.json -printf '%p %T@\n' | sort | diff "$cache/before" -
}

sid() {
  [ -x "$cache/sid/usr/bin/apptainer" ] || {
    rm -rf "$cache/sid.new"
    mmdebstrap --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
      --include=apptainer,squashfuse,fuse2fs,fuse-overlayfs,e2fsprogs,ca-certificates --format=directory \
      sid "$cache/sid.new" || { echo "Debian sid with Apptainer cannot be had here"; exit 77; }
    mv "$cache/sid.new" "$cache/sid"
  }
  cp /etc/hosts /etc/resolv.conf "$cache/sid/etc/"
  echo "= $(apptainer --version)"
}

sif() {
  cd "$cache/clone"
  local key
  key=$(cat <(git rev-parse HEAD; git status --porcelain) <(git diff) "$cache/base.tar" | sha256sum)
  if [ "$(cat "$cache/sif.key" 2> /dev/null || true)" != "$key" ]; then
    FROM=docker-archive BASE="$cache/base-docker.tar" containers/build.sh --sif cpu
    echo "$key" > "$cache/sif.key"
  fi
  # Docker's image and this one hold the same, version for version.
  cmp containers/relax-cpu.packages.json containers/relax-cpu.sif.packages.json
  (cd containers && sha256sum --check --quiet relax-cpu.sif.sha256)
  apptainer test containers/relax-cpu.sif
  echo "= $(du -m containers/relax-cpu.sif | cut -f1) MB"
}

# A host that has Snakemake and its Slurm executor, and whose other Python packages would break a job that saw them.
host() {
  cd "$cache/clone"
  [ -x "$cache/host/bin/snakemake" ] || {
    python3.11 -m venv "$cache/host"
    "$cache/host/bin/pip" install --quiet --no-index --find-links containers/wheels/cpu --constraint envs/cpu.lock \
      $(grep -E '^snakemake(-executor-plugin-slurm)?==' envs/cpu.lock)
  }
  [ ! -e "$cache/host/bin/relax" ]
  mkdir -p "$cache/broken"
  for package in torch transformers trl; do
    echo 'raise ImportError("this is the host and not the image")' > "$cache/broken/$package.py"
  done
}

on_host() { env PYTHONPATH="$cache/broken" PATH="$here/bin:$cache/host/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"; }

apptainer_local() {
  cd "$cache/clone"
  rm -rf results/smoke .snakemake
  on_host snakemake --sdm apptainer --cores 2 --quiet host reason --configfile config/smoke.yaml
  python3 "$here/check.py" results/smoke containers/relax-cpu.sif.packages.json \
    "sha256:$(cut -c1-64 containers/relax-cpu.sif.sha256)" "$cache/docker-results/smoke"
}

apptainer_slurm() {
  cd "$cache/clone"
  local start=$repository/tests/cluster/slurm/start.sh state
  [ -x "$start" ] && command -v slurmd > /dev/null && command -v munged > /dev/null ||
    { echo "tests/cluster/slurm/start.sh, slurm-wlm and munge are needed"; exit 77; }
  rm -rf results/smoke .snakemake
  state=$(mktemp --directory --tmpdir relax-slurm-XXXXXX)  # munged's user may not enter a home folder
  mkfifo "$cache/slurm.stdin.$$"
  unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
    "$start" "$state" "${SLURM_CI_PORT:-16917}" < "$cache/slurm.stdin.$$" > "$cache/slurm.out" 2>&1 &
  local cluster=$!
  exec 8> "$cache/slurm.stdin.$$"
  rm "$cache/slurm.stdin.$$"
  # The kernel ends the whole cluster with this process; it does not listen to SIGTERM.
  # (Both are filled in here: they are gone when the trap runs.)
  trap "kill -9 $cluster 2> /dev/null || true; rm -rf '$state'" EXIT
  for _ in $(seq 900); do ! grep -q ready "$cache/slurm.out" || break; sleep 0.1; done
  grep -q ready "$cache/slurm.out" || { cat "$cache/slurm.out"; exit 1; }
  # What a site would fill in; the others of its settings have defaults.
  export RELAX_SLURM_ACCOUNT=none RELAX_CPU_PARTITION=none RELAX_GPU_PARTITION=none RELAX_SCRATCH=none
  export RELAX_MAX_HOURS=1 RELAX_MAX_MEMORY_GB=6  # what this cluster has
  on_host nsenter --target "$(pgrep -P $cluster)" --mount --pid --wd="$PWD" \
    snakemake --profile profiles/slurm --sdm apptainer --quiet host reason --configfile config/smoke.yaml
  python3 "$here/check.py" results/smoke containers/relax-cpu.sif.packages.json \
    "sha256:$(cut -c1-64 containers/relax-cpu.sif.sha256)" "$cache/docker-results/smoke"
}

[ "$(id -u)" = 0 ] || skip "not root (mounts and name spaces)"
for tool in podman runc mmdebstrap unshare pivot_root git python3.11; do
  command -v "$tool" > /dev/null ||
    skip "$tool is missing (apt-get install --no-install-recommends podman buildah runc mmdebstrap netavark git)"
done
mkdir -p "$cache/logs"
exec 9> "$cache/lock"
flock -n 9 || { echo "another test-container works in $cache"; exit 1; }

# Podman in the cache, without systemd, cgroups of its own and raised limits; crun needs what a small machine lacks.
cat > "$cache/containers.conf" << CONF
[containers]
netns = "host"
log_driver = "none"
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
CONF
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$cache/storage" "$cache/run" \
  > "$cache/storage.conf"
export CONTAINERS_CONF=$cache/containers.conf CONTAINERS_STORAGE_CONF=$cache/storage.conf BUILDAH_ISOLATION=chroot
export BASE=localhost/relax-base:bookworm APPTAINER_ROOT=$cache/sid PATH="$here/bin:$PATH"

echo "test-container: in $cache, logs in $cache/logs"
step "base image (mmdebstrap, bookworm)" base
step "clone" clone
step "wheels of envs/cpu.lock" wheels
step "relax:cpu, docker type" image
step "what is inside" inside
step "demo at its smallest in it, any user" docker_run
step "Apptainer from Debian sid" sid
step "relax-cpu.sif" sif
step "host with Snakemake alone" host
step "snakemake --sdm apptainer, locally" apptainer_local
step "snakemake --sdm apptainer, through Slurm" apptainer_slurm
echo "$passed passed, 0 failed"
