#!/bin/sh
# Lint, types, tests. Extra arguments go to pytest. WATTLEDGER_NO_SKIP=1 turns a skipped test into a failure.
set -eu
bin=.venv/bin
export PATH="$PWD/$bin:$PATH"  # some parts, such as hadolint, come with the requirements
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
exec "$bin/python" -m pytest -n "${WATTLEDGER_TEST_WORKERS:-auto}" "$@"
