# wattledger: two commands matter, `make run` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help run demo test lint types bench gpu-smoke image tour setup-run setup-test golden install uninstall clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

run: setup-run   ## start the daemon on this machine (ARGS="--demo" for a simulated node)
	@MALLOC_ARENA_MAX=1 exec $(BIN)/wattledger run --state-dir state $(ARGS)

demo:            ## the same on a simulated 8-GPU node
	@$(MAKE) --no-print-directory run ARGS="--demo $(ARGS)"

test: setup-test ## install what the tests need, then lint, types and all tests
	@sh tests/run.sh $(ARGS)

lint: setup-test ## ruff: style and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-test ## mypy, strict
	@$(BIN)/mypy

bench: setup-test ## print the budget table (see README)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

gpu-smoke:       ## two minutes on a real NVIDIA GPU, no network: make gpu-smoke WHEELS=folder
	@sh tests/benchmarks/gpu_smoke.sh "$(WHEELS)"

image:           ## build the container image (ARGS="--build-arg RUN_BASE=...")
	@deploy/container/build.sh $(ARGS)

tour:            ## image, Prometheus, Grafana and the portal on a simulated node (NODE=real: on this one)
	@deploy/compose/tour.sh $(or $(NODE),demo)

golden: setup-test ## rewrite the golden files after a wanted change; look at the diff
	@$(BIN)/python -m pytest -q --update-golden -k golden

install:         ## install as systemd services (PREFIX, DESTDIR, PYTHON, WHEELS, COMMAND: deploy/install.sh)
	@sh deploy/install.sh

uninstall:       ## remove them; the ledger and the settings stay
	@sh deploy/uninstall.sh

setup-run:
	@sh deploy/dev/venv.sh "$(PYTHON)" $(VENV) run

setup-test:
	@sh tests/install-parts.sh
	@sh deploy/dev/venv.sh "$(PYTHON)" $(VENV) test

clean:           ## remove the virtual environment and caches (never the ledger)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
