#!/bin/sh
# Lint, types, tests. Extra arguments go to pytest. WATTLEDGER_NO_SKIP=1 turns a skipped test into a failure.
set -eu
bin=.venv/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
exec "$bin/python" -m pytest -n "${WATTLEDGER_TEST_WORKERS:-auto}" "$@"
