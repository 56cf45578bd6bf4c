# `make` alone prints what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := PATH="$(CURDIR)/$(BIN):$$PATH" DAGSTER_DISABLE_TELEMETRY=1
WORKERS ?= 2
CHARTS := test-artefacts/bench

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

bench: $(READY)  ## every benchmark, small (five minutes): tables of ratios, charts in test-artefacts/bench
	@$(RUN) python benchmarks/bench_normalise.py --chart $(CHARTS)/normalise.png
	@$(RUN) python benchmarks/bench_standard_bucket.py --products 2000 --rival --chart $(CHARTS)/standard-bucket.png
	@$(RUN) python benchmarks/bench_memory.py --products 3000 9000 --chart $(CHARTS)/memory.png
	@$(RUN) python benchmarks/bench_refresh.py --products 1000 5000 --chart $(CHARTS)/refresh.png
	@$(RUN) python benchmarks/bench_incremental.py --products 2000 --chart $(CHARTS)/incremental.png
	@$(RUN) python benchmarks/bench_receiver.py --seconds 3 --open-seconds 5 --chart $(CHARTS)/receiver.png
	@$(RUN) python benchmarks/kill_receiver.py --rounds 10 --chart $(CHARTS)/kill-receiver.png
	@$(RUN) python benchmarks/bench_event_latency.py --times 5 --chart $(CHARTS)/event-latency.png
	@$(RUN) python benchmarks/bench_fleet.py --shops 30 --chart $(CHARTS)/fleet.png
	@echo "the charts lie in $(CURDIR)/$(CHARTS):" && ls $(CHARTS)

mutants: $(READY)  ## turn comparisons around, one at a time: does a test notice? (an hour)
	@$(RUN) python -m salesbot_pipelines_tests.mutants --jobs $(WORKERS) --report docs/mutants.md

clean:  ## remove the demo's home and every cache
	@rm -rf .salesbot .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* test-artefacts build
