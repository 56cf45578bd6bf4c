# `make` alone prints what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" DAGSTER_DISABLE_TELEMETRY=1
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test check dev bench clean

help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@echo "Installing into $(VENV) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/salesbot --version >/dev/null
	@touch $(READY)

demo: $(READY)  ## the main job with no account: sandbox, refresh, Dagster UI (ONCE=1 ends after the refresh)
	@$(RUN) salesbot demo $(if $(ONCE),--once,)

test: $(READY)  ## every test a checkout can run, on WORKERS processes (2)
	@$(RUN) python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

check: $(READY)  ## style, types and the floors
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports

dev: $(READY)  ## Dagster's webserver and daemon on your own .env, without the sandbox
	@$(RUN) salesbot dev

bench: $(READY)  ## every benchmark, small: tables of ratios (benchmarks/ for the large ones)
	@$(RUN) python benchmarks/bench_normalise.py
	@$(RUN) python benchmarks/bench_standard_bucket.py --products 2000 --rival
	@$(RUN) python benchmarks/bench_memory.py --products 1000 5000
	@$(RUN) python benchmarks/bench_receiver.py --seconds 3 --open-seconds 5
	@$(RUN) python benchmarks/bench_event_latency.py --times 5

mutants: $(READY)  ## turn comparisons around, one at a time: does a test notice? (an hour)
	@$(RUN) python -m salesbot_pipelines_tests.mutants --jobs $(WORKERS) --report docs/mutants.md

clean:  ## remove the demo's home and every cache
	@rm -rf .salesbot .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* test-artefacts build
