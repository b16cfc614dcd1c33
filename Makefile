# `make demo` is the way in; `make check` is what a person and CI run alike.
# The first that runs and is new enough (a version manager's shim may stand there and not run).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup watch demo test check fix bench audit chaos chaos-long fuzz bench-detect bench-detect-long
.DEFAULT_GOAL := demo

setup: .venv/.ready

# The stamp makes it quick when nothing changed. pip's cache and a local wheel folder are used as pip is configured.
.venv/.ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

watch: setup
	$(BIN)/detector watch

demo: setup
	$(BIN)/detector demo

test: setup
	$(BIN)/pytest -q

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	FUZZ=$${FUZZ:-50000} $(BIN)/pytest -q

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python tests/bench/run.py

# Our detector against the field and the limit: a table, and a plot in build/bench-detect. Under 20 minutes.
bench-detect: setup
	$(BIN)/python -m tests.bench.detect

bench-detect-long: setup
	$(BIN)/python -m tests.bench.detect --long

# Known holes in the libraries below us. Needs pypi.org; without an answer it says so and ends with 3.
audit: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[audit]'
	$(BIN)/python -m tests.security.audit

# Mutated feeds through the killable parser: 40 minutes for the million. FUZZ=n for another number.
fuzz: setup
	$(BIN)/python -m tests.fuzz.run --count $${FUZZ:-1000000}

# Kills, full disks, damage, jumping clocks, a hundred times the load; ends with a table (`make test` runs a small tier).
chaos: setup
	CHAOS=chaos $(BIN)/pytest -q tests/chaos --timeout 1800

# The same at the sizes of a release: hours.
chaos-long: setup
	CHAOS=long $(BIN)/pytest -q tests/chaos --timeout 36000
