#!/bin/sh
# The smoke test on a machine with an NVIDIA GPU, without network. See --help.
set -eu

usage() {
  cat <<'TEXT'
Usage: sh tests/benchmarks/gpu_smoke.sh [WHEELS] [options of python -m tests.benchmarks.gpu_smoke]
       make gpu-smoke WHEELS=folder

Runs `wattledger check`, the daemon under an idle, a bursty and a steady load of the GPU, and `wattledger verify`.
Keeps the result in tests/benchmarks/results/. Takes some three minutes, needs no network.

WHEELS   a folder of wheels: a virtual environment is made from it that also sees the packages of this machine
         (torch, cupy, jax or numba make the load; without any of them the driver itself does).
         Left out: the Python of this project's .venv, or else $PYTHON, must have wattledger's packages.

To make the folder, on any machine with network and the same Python version and processor:
    python3 -m pip download --only-binary :all: --dest wheels -r requirements/run.txt
    python3 -m pip wheel --no-deps --wheel-dir wheels .
TEXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  -*) wheels= ;;
  *) wheels=${1:-}; [ $# -eq 0 ] || shift ;;
esac

if [ -n "$wheels" ]; then
  [ -d "$wheels" ] || {
    printf 'There is no folder %s. How to make it: sh tests/benchmarks/gpu_smoke.sh --help\n' "$wheels" >&2
    exit 2
  }
  wheels=$(cd "$wheels" && pwd)
fi

cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}

if [ -n "$wheels" ]; then
  venv=$(mktemp -d)
  trap 'rm -rf "$venv"' EXIT
  "$python" -m venv --system-site-packages "$venv"
  install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$wheels" "$@"; }
  install --ignore-installed --no-deps wattledger
  install wattledger # what it needs and this machine does not have
  python=$venv/bin/python
elif [ -x .venv/bin/python ]; then
  python=.venv/bin/python
fi

"$python" -m tests.benchmarks.gpu_smoke "$@"
