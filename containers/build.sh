#!/usr/bin/env bash
# Build the image of a lock.
#   containers/build.sh [cpu|cuda]         relax:LOCK, with docker, podman or buildah, whichever works here
#   containers/build.sh --sif [cpu|cuda]   containers/relax-LOCK.sif, with Apptainer
# Beside it come the list of its packages (relax-LOCK[.sif].packages.json) and its digest (relax-LOCK.id, or
# relax-LOCK.sif.sha256). BASE names another base image, for Apptainer with FROM (docker, docker-archive, ...);
# wheels in containers/wheels/ (containers/wheels.sh) take the place of the package indexes.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'container: %s\n' "$*"; }
die() { printf 'container: %s\n' "$*" >&2; exit 4; }

kind=oci
if [ "${1:-}" = --sif ]; then kind=sif; shift; fi
lock=${1:-cpu}
[ -f "envs/$lock.lock" ] || die "no lock file envs/$lock.lock; choose cpu or cuda."

# Run records name the commit, and no image holds git.
commit=$(git rev-parse HEAD 2> /dev/null) || die "$PWD is no git checkout; an image must say which commit it holds."
contents=(LICENSE README.md Snakefile pyproject.toml config containers envs profiles/default relax results/reference workflow)
dirty=false
[ -z "$(git status --porcelain -- "${contents[@]}")" ] || dirty=true
arguments=(--build-arg "LOCK=$lock" --build-arg "COMMIT=$commit" --build-arg "DIRTY=$dirty")
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
to=containers/relax-$lock
started=$SECONDS

engine() {
  local name
  for name in docker podman buildah; do
    if command -v "$name" > /dev/null && { [ "$name" != docker ] || docker info > /dev/null 2>&1; }; then
      echo "$name"
      return
    fi
  done
  die "none of docker, podman and buildah works here; install one, or build with Apptainer (--sif)."
}

oci() {
  local with image=relax:$lock container id
  with=$(engine)
  say "building $image with $with from envs/$lock.lock (commit ${commit:0:12}, changed: $dirty)"
  [ "$with" != buildah ] || arguments+=(--layers)
  "$with" build --file containers/Dockerfile "${arguments[@]}" --tag "$image" .
  if [ "$with" = buildah ]; then
    container=$(buildah from "$image")
    buildah run "$container" cat /relax/packages.json > "$to.packages.json"
    buildah rm "$container" > /dev/null
    id=$(buildah inspect --type image --format '{{.FromImageID}}' "$image")
  else
    "$with" run --rm --entrypoint cat "$image" /relax/packages.json > "$to.packages.json"
    id=$("$with" image inspect --format '{{.Id}}' "$image")
  fi
  echo "sha256:${id#sha256:}" > "$to.id"
  say "$image is $(cat "$to.id"), $((SECONDS - started)) s; packages in $to.packages.json"
}

sif() {
  local sif=$to.sif binds=()
  new=containers/.relax-$lock.new.sif
  command -v apptainer > /dev/null || die "apptainer is not on PATH."
  say "building $sif with $(apptainer --version) from envs/$lock.lock (commit ${commit:0:12}, changed: $dirty)"
  [ -z "${FROM:-}" ] || arguments+=(--build-arg "FROM=$FROM")
  ! ls "containers/wheels/$lock"/*.whl > /dev/null 2>&1 || binds=(--bind "$PWD/containers/wheels:/mnt:ro")
  trap 'rm -f "$new"' EXIT
  apptainer build --force "${binds[@]}" "${arguments[@]}" "$new" containers/relax.def
  apptainer exec "$new" cat /relax/packages.json > "$sif.packages.json"
  mv "$new" "$sif"
  (cd containers && sha256sum "relax-$lock.sif") > "$sif.sha256"
  say "$sif is sha256:$(cut -c1-64 "$sif.sha256"), $(du -m "$sif" | cut -f1) MB, $((SECONDS - started)) s"
}

"$kind"
