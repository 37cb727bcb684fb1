# Python 3.11 or newer and make are all that this needs. Name another interpreter with `make PYTHON=python3.12 …`.

NEWER := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c '$(NEWER)' 2>/dev/null && echo $$name && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
# Only files whose hash is known, and only ready-made ones: nothing is compiled, nothing else is fetched.
INSTALL := $(BIN)/pip install --no-compile --quiet --disable-pip-version-check --require-hashes --only-binary :all:
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate --no-config $(LOCK)
TIME_LIMIT := 660
SECONDS := 600
WORKERS := 3

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help advise install test lint governance check cover long bench soak proofs prove dist audit release mutants suite \
	pages lock clean

help: ## Say what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

advise: $(VENV)/ready ## Install into .venv, open an embedded store, give a first piece of advice.
	$(BIN)/python -m control_plane advise --task-type code.fix

install: $(VENV)/ready-to-serve ## What the server, its dashboard and OpenCode's plugin need besides.

test: lint governance check ## Everything that has to hold, in at most 12 minutes; CI runs exactly this.

lint: $(VENV)/ready-for-tests ## Style, types, floors.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

governance: $(VENV)/ready ## The three validators on this repository.
	$(BIN)/python scripts/governance/validate_control_plane_schema.py
	$(BIN)/python scripts/governance/validate_fallback_consistency.py
	$(BIN)/python scripts/governance/validate_plugin_compatibility.py

check: $(VENV)/ready-for-tests ## The tests, three at a time: they wait for a disk or a process now and then.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --session-timeout $(TIME_LIMIT) --durations 25 </dev/null

# Watching each branch takes longer than the tests themselves.
cover: $(VENV)/ready-for-tests ## The tests again, with the branches that they reach: 92 % at least.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile --durations 10 </dev/null
	$(BIN)/coverage combine --quiet
	mkdir -p .opencode/metrics
	$(BIN)/coverage json --quiet --fail-under 0 -o .opencode/metrics/coverage.json
	$(BIN)/python scripts/release/covered.py
	$(BIN)/coverage report

prove: cover long bench proofs soak ## The long forms: full counts, benchmarks one after another, every proof, the soak.

long: $(VENV)/ready-for-tests ## The tests with their full counts of kills, faults and load.
	$(BIN)/python -m pytest --long --timeout 3600 --durations 20 </dev/null

bench: $(VENV)/ready-for-benchmarks ## The benchmarks, one after another, and the one beside LiteLLM.
	@failed=0; for file in $(sort $(wildcard benchmarks/test_*.py)); do \
		echo "== $$file"; $(BIN)/python -m pytest --timeout 1800 $$file </dev/null || failed=1; done; \
		$(BIN)/python benchmarks/vs_litellm.py </dev/null || failed=1; exit $$failed

soak: $(VENV)/ready-for-tests ## Ten minutes of everything at once while things break; `make soak SECONDS=3600`.
	$(BIN)/python -m control_plane soak --seconds $(SECONDS) </dev/null

proofs: $(VENV)/ready-for-tests ## Every proof under scripts/, each against the real system.
	@failed=0; for file in $(sort $(wildcard scripts/*/m0_*.py scripts/*/fg*.py scripts/*/bridge_*.py scripts/*/scale_*.py)); do \
		echo "== $$file"; $(BIN)/python $$file </dev/null || failed=1; done; exit $$failed

dist: $(VENV)/ready-to-release ## Wheel and sdist, built twice and compared; their digests and bill of materials.
	$(BIN)/python scripts/release/packages.py
	$(BIN)/python scripts/release/sbom.py

audit: $(VENV)/ready-to-release ## Known advisories of every pinned package; exits 3 where nobody can be asked.
	$(BIN)/python scripts/release/audit.py

mutants: $(VENV)/ready-for-tests ## How many small faults the tests see, of a sample; takes an hour.
	nice $(BIN)/python scripts/release/mutants.py

suite: $(VENV)/ready-for-tests ## What CI runs, on five bare clones one after another: quick, and the same each time.
	$(BIN)/python scripts/release/suite.py

release: $(VENV)/ready-to-release ## The release checklist; `make release WHOLE=--whole` with its long steps.
	$(BIN)/python scripts/release/check.py $(WHOLE)

pages: $(VENV)/ready-for-tests ## Write the pages that are generated from the code.
	$(BIN)/python -m control_plane.pages

lock: $(VENV)/ready-to-lock ## Pin what pyproject.toml asks for; `make lock LOCK=--upgrade` takes the newest.
	$(COMPILE) requirements/lock.in --output-file requirements/lock.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra test --output-file requirements/test.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra test --extra bench --constraint requirements/test.txt \
		--output-file requirements/bench.txt
	$(COMPILE) pyproject.toml requirements/build.in --constraint requirements/test.txt --output-file requirements/base.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra serve --extra postgres --constraint requirements/test.txt \
		--output-file requirements/serve.txt
	$(COMPILE) pyproject.toml $(addprefix --extra ,evals flags mcp otel postgres serve) \
		--constraint requirements/test.txt --output-file requirements/extras.txt
	$(COMPILE) pyproject.toml --extra release --constraint requirements/test.txt --output-file requirements/release.txt
	@! grep -n '://' requirements/*.txt || { echo "an address got into the pinned lists" >&2; exit 1; }

clean: ## Remove what was made; your ledgers stay.
	rm -rf $(VENV) build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

$(VENV)/bin/python:
	@$(PYTHON) -c '$(NEWER)' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready: requirements/base.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -r requirements/base.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-to-serve: requirements/serve.txt $(VENV)/ready
	$(INSTALL) -r requirements/serve.txt
	@touch $@

$(VENV)/ready-for-tests: requirements/test.txt $(VENV)/ready
	$(INSTALL) -r requirements/test.txt
	$(BIN)/python tests/browser.py
	@touch $@

$(VENV)/ready-for-benchmarks: requirements/bench.txt $(VENV)/ready-for-tests
	$(INSTALL) -r requirements/bench.txt
	@touch $@

$(VENV)/ready-to-release: requirements/release.txt $(VENV)/ready-for-tests
	$(INSTALL) -r requirements/release.txt
	@touch $@

$(VENV)/ready-to-lock: $(VENV)/bin/python
	test ! -s requirements/lock.txt || $(INSTALL) -r requirements/lock.txt
	test -s requirements/lock.txt || $(BIN)/pip install --quiet -r requirements/lock.in
	@touch $@
