#!/bin/sh
# Build the image with whichever engine is here. Further arguments go to it: --build-arg RUN_BASE=…
# Usage: build.sh [ARGUMENT…]      WATTLEDGER_ENGINE=docker|podman|buildah chooses.
set -eu
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' tracker/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
epoch=$(git log -1 --format=%ct 2>/dev/null || true)

works() { # docker may be a client without a server
  command -v "$1" >/dev/null && { [ "$1" != docker ] || docker info >/dev/null 2>&1; }
}
engine=${WATTLEDGER_ENGINE:-}
for candidate in docker podman buildah; do
  [ -n "$engine" ] || ! works "$candidate" || engine=$candidate
done
if [ -z "$engine" ]; then
  echo "There is no docker (with a server that answers), podman or buildah here. Install one: sudo apt-get install podman" >&2
  exit 2
fi
case $engine in
  *docker) ;;
  # The OCI format has no HEALTHCHECK; docker finds the ignore file by its name.
  *) set -- --format=docker --ignorefile=deploy/container/Containerfile.dockerignore "$@" ;;
esac
exec "$engine" build --file deploy/container/Containerfile --tag "wattledger:$version" --tag wattledger:latest \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE_DATE_EPOCH=$epoch" "$@" .
