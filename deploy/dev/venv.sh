#!/bin/sh
# Make a virtual environment with the pinned, hashed requirements and this project in it; do nothing when it is up to date.
# Usage: venv.sh PYTHON FOLDER run|test
set -eu
python=$1 venv=$2 set_name=$3
requirements=requirements/$set_name.txt
stamp=$venv/.wattledger-$set_name

say() { printf '%s\n' "$*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  say "wattledger needs Python 3.11 or newer; '$python' is not. Name another: make run PYTHON=python3.12"
  exit 2
}

# A requirements set that contains the wanted one is good enough: test.txt contains run.txt.
for good in "$stamp" "$venv/.wattledger-test"; do
  if [ -f "$good" ] && "$venv/bin/python" -c '' 2>/dev/null && cat requirements/*.txt pyproject.toml | cmp -s - "$good"; then exit 0; fi
done

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing python3-venv"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  else
    say "Python's venv module is missing. Install it: sudo apt-get install python3-venv"
    exit 2
  fi
fi

say "preparing $venv ($requirements)"
# An interrupted run, or an upgrade of the system's Python, leaves half an environment: begin anew.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
cat requirements/*.txt pyproject.toml > "$stamp"
