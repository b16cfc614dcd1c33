# `make demo` is the way in; `make check` is what a person and CI run alike.
# The first that runs and is new enough (a version manager's shim may stand there and not run).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup watch demo pictures hostile api-cases bench-web demo-cloud test check fix models bench audit chaos chaos-long soak mutants fuzz zoo bench-detect bench-detect-long ray bench-peers bench-live bench-ray
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

# The page's address is printed, and opened where there is a display; the report's path ends it.
demo: setup
	$(BIN)/detector demo --page --out build/demo

demo-cloud: setup
	$(BIN)/detector demo --page --out build/demo-cloud --scenario cloud-tuesday

test: setup
	$(BIN)/pytest -q

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	FUZZ=$${FUZZ:-50000} ZOO_SECONDS=$${ZOO_SECONDS:-60} $(BIN)/pytest -q

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Backfills on Ray: one node, two nodes, one of them lost, the command. Half a minute; needs pip install 'ray>=2.50,<3'.
ray: setup
	RAY=1 $(BIN)/pytest -q tests/backfill/test_ray.py

# Start, known outages, the backfill at scale, peers (which need `pip install '.[bench]'`): under 20 minutes.
bench: setup
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m tests.bench.run

# Hostile texts, 5,000 for each channel; and 5,000 requests made up from the API's own document.
hostile: setup
	HOSTILE_EXAMPLES=5000 $(BIN)/pytest -q tests/notify/test_inert.py tests/notify/test_answers.py tests/notify/test_escape.py \
		tests/notify/test_feed.py --timeout 3600

api-cases: setup
	API_CASES=5000 $(BIN)/pytest -q tests/web/test_schema.py --timeout 3600

# The page with 1,000 services, 90 days and 1,000 event streams; a report of three years; the message in Slack.
bench-web: setup
	$(BIN)/python -m tests.web.bench_board
	$(BIN)/python -m tests.web.bench_report
	$(BIN)/python -m tests.bench.latency

# The pictures of the README, from the demo, into data/pictures (needs chromium).
pictures: setup
	$(BIN)/python -m tests.web.pictures

# Ours beside pandas and keywords, MiniLM and regression, river: speed and quality. Under 10 minutes.
bench-peers: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m tests.bench.peers

# 5,000 services at 1,000 mentions a second: how much of a core, how much memory.
bench-live: setup
	$(BIN)/python -m tests.bench.growth_live

# What Ray costs on one machine beside processes (POSTS=10000000 takes five minutes).
bench-ray: setup
	$(BIN)/python -m tests.bench.growth_ray --posts $${POSTS:-1000000}

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

# Every source at once on loopback, with faults, for half an hour: does the sum come out? ZOO_MINUTES=n for another time.
zoo: setup
	$(BIN)/python -m tests.zoo.run --minutes $${ZOO_MINUTES:-30}

# Kills, full disks, damage, jumping clocks, a hundred times the load; ends with a table (`make test` runs a small tier).
chaos: setup
	CHAOS=chaos $(BIN)/pytest -q tests/chaos --timeout 1800

# The same at the sizes of a release: hours.
chaos-long: setup
	CHAOS=long $(BIN)/pytest -q tests/chaos --timeout 36000

# The daemon left alone with a fault every 30 s: does it grow? SOAK_HOURS=8 for longer than one.
soak: setup
	CHAOS=long SOAK_HOURS=$${SOAK_HOURS:-1} $(BIN)/pytest -q tests/chaos/test_soak.py -k g10 --timeout 100000

# Small bugs in the modules of state, outbox and dedupe: would a test notice? Half an hour at most.
mutants: setup
	$(BIN)/python -m tests.chaos.mutants

# The shipped classifiers from the labels here and the texts in ../shared: about an hour of one core, a GPU is used.
SHARED ?= ../shared/data
TEXTS = $(foreach f,reddit-top-2013 hn-2016-2018 reddit-llm-2025h1 app-reviews-chatgpt tweets-complaints-2019 \
	github-issues-claude-code,--texts $(SHARED)/posts/$f.jsonl.gz)
LABELS = --labels $(SHARED)/labels/train.jsonl --labels data/labels/archive.jsonl $(TEXTS) \
	--own data/labels/own.jsonl --own data/labels/own_a.jsonl --own data/labels/own_b.jsonl --own data/labels/own_c.jsonl \
	--own data/labels/own_d.jsonl --measured data/labels/unseen.jsonl \
	--measured data/labels/natural.jsonl --measured $(SHARED)/labels/dev-twcs.jsonl \
	--measured tests/fixtures/behaviour/hard_negatives.jsonl --measured tests/fixtures/behaviour/hard_positives.jsonl

models: setup
	$(BIN)/python -m detector train $(LABELS) --prior-of $(SHARED)/labels/train.jsonl --out models/static
	$(BIN)/python -m detector train --kind minilm $(LABELS) --scratch build/held.npz --out models
