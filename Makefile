# Every target builds what it needs; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.complete
PEERS := .venv/.peers
TOOLS := .release/.complete
LOCK := --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate
TESTS ?= tests
# Much of a test is waiting for a server, so more run side by side than there are cores.
PARALLEL ?= --numprocesses 3 --dist worksteal
# Tests, demos and benches start processes by the hundred; without bytecode each compiles the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
# Every target with a line of help.
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*\#\# .*/\1/p' $(MAKEFILE_LIST))

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer; name one with PYTHON=")'
	@echo "building the environment in .venv (about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(PEERS): $(STAMP) requirements-peers.lock
	@echo "adding the peers that are compared with (Spark, DuckDB; a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock
	@touch $@

$(TOOLS): dev/release/tools.lock
	@echo "adding the tools of a release in .release (about half a minute)"
	@$(PYTHON) -m venv .release
	@.release/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r dev/release/tools.lock
	@touch $@

setup: $(STAMP) ## Build the environment in .venv, and nothing else

demo: $(STAMP) ## Watch a busy hour judged in shadow, on a real Kafka and Redis (ARGS=, FILE=, VERTICAL=legal)
	@$(BIN)/spendgate demo $(if $(FILE),--file $(FILE)) $(if $(VERTICAL),--vertical $(VERTICAL)) $(ARGS)

demo-gate: $(STAMP) ## A month in a minute: shadow, the gate, two people's flip, a cap that holds, a demotion
	@$(BIN)/python -m dev.demo_gate

test: $(STAMP) ## Every test, on a real Kafka, Redis and Valkey (ARGS=-n0: one by one)
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS) $(ARGS)

test-pure: $(STAMP) ## The tests that need no server, with fewer examples (HYPOTHESIS_PROFILE=default: all)
	HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),quick) $(BIN)/python -m pytest $(PARALLEL) tests/model tests/engine tests/oracle tests/ledger tests/simulate tests/prices tests/importers tests/gallery tests/slow $(ARGS)

test-peers: $(PEERS) ## The tests against big peers, outside make test
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile peers $(ARGS)

e2e: $(PEERS) ## The dashboard in Debian's Chromium, and the pictures of the docs
	SPENDGATE_PICTURES=docs/images $(BIN)/python -m pytest peers/test_pages_browser.py peers/test_pages_busy.py peers/test_pages_outages.py $(ARGS)

fuzz: $(PEERS) ## Hunt for inputs that break a parser's law (TARGET=, SECONDS=60 for each)
	$(BIN)/python -m tests.fuzz.hunt $(TARGET) --seconds $(or $(SECONDS),60)

lint: $(STAMP) ## Style, types, import contracts, schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy examples/verticals/*/*.py
	$(BIN)/lint-imports
	$(BIN)/python -m spendgate.model.schemas --check
	$(BIN)/python -m dev.dashboards --check

format: $(STAMP) ## Mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dashboards: $(STAMP) ## Write grafana/dashboards/ anew
	$(BIN)/python -m dev.dashboards

check-dashboards: $(PEERS) ## Ask a real Prometheus every question of dashboards and alerts, under load and faults
	$(BIN)/python -m pytest peers/test_monitoring.py $(ARGS)

schemas: $(STAMP) ## Write schemas/ and docs/routes.md anew
	$(BIN)/python -m spendgate.model.schemas
	$(BIN)/python -m gateway_shadow.routes_page

bench-live: $(STAMP) ## Rates and latencies beside stock Faust agents (ARGS=--quick)
	$(BIN)/python -m bench.live $(ARGS)

bench-counters: $(STAMP) ## Memory and call times of the counter stores
	$(BIN)/python -m bench.counters $(ARGS)

bench-http: $(STAMP) ## The HTTP door beside apps that do less (ARGS=--quick)
	$(BIN)/python -m bench.door $(ARGS)

bench-ledger: $(STAMP) ## The ledger agent's work, beside plain Parquet of the same rows
	$(BIN)/python -m bench.ledger $(ARGS)

bench-simulate: $(PEERS) ## The simulator beside DuckDB, plain Python and bare reading (ARGS=--quick)
	$(BIN)/python -m bench.simulate $(ARGS)

bench-gate: $(STAMP) ## Reconciling beside simulating, a check that reserves beside INCRBY (ARGS=--quick)
	$(BIN)/python -m bench.gate $(ARGS)

bench-pages: $(PEERS) ## The dashboard in Debian's Chromium over a million decisions, 200 policies, 50 reviews (ARGS=--quick)
	$(BIN)/python -m bench.pages $(ARGS)

faults: $(STAMP) ## The fault matrix beside the obvious design; goes on where it was broken off (FAULT=, SEEDS=1,2, EVENTS=, FRESH=1)
	@$(BIN)/python -m dev.faults $(if $(FAULT),--fault $(FAULT)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(EVENTS),--events $(EVENTS)) $(if $(FRESH),--fresh) $(ARGS)

faults-table: $(STAMP) ## Write the table of docs/faults.md anew from the results that there are
	@$(BIN)/python -m dev.faults --table docs/faults.md --only-table

docs: $(STAMP) $(TOOLS) ## Build the documentation in site/; a warning is an error
	@$(BIN)/python -m dev.docs.assemble
	@.release/bin/mkdocs build --quiet --strict --config-file .release/mkdocs.yml --site-dir $(CURDIR)/site

release-check: $(STAMP) $(TOOLS) ## All that has to be true before a version goes out
	@$(BIN)/python -m dev.release.check

lock: ## Resolve the locks anew (needs uv)
	uv pip compile pyproject.toml --extra services --extra dev $(LOCK) --output-file requirements.lock
	echo 'litellm[proxy]' | uv pip compile - $(LOCK) --output-file peers/litellm.lock
	uv pip compile pyproject.toml --all-extras --constraint requirements.lock $(LOCK) --output-file requirements-peers.lock
	uv pip compile dev/release/tools.txt $(LOCK) --output-file dev/release/tools.lock

clean: ## Remove what was built, but not .dev
	rm -rf .venv .release site dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
