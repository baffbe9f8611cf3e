# Needs Python >= 3.11 and make; everything else is installed into .venv, locked by hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install dev playground test coverage deep check bench lock dist clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

install: $(STAMP) ## set up .venv with the locked dependencies and the command .venv/bin/clew

dev: install ## serve the demo project on http://127.0.0.1:8000 with an embedded Postgres
	@$(BIN)/python playground/build.py --beside &
	$(BIN)/clew dev

playground: install ## build the playground's page (needs npm)
	$(BIN)/python playground/build.py

# Each worker takes tests in their order, so that it keeps what it has set up.
PYTEST := pytest -n auto --dist worksteal

# Workers, and commands that tests start, load what was compiled before, also where Python is told to write none of it.
test coverage deep check: export PYTHONDONTWRITEBYTECODE =

test: install ## run the tests on an embedded Postgres; ARGS="tests/writes -k upsert" selects some
	$(BIN)/python -m $(PYTEST) $(ARGS)

coverage: install ## run the tests and report the lines and branches of clew/ that none of them runs
	rm -rf .clew/coverage
	$(BIN)/coverage run -m $(PYTEST) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage html --quiet
	$(BIN)/coverage report
	@echo 'Line by line: .clew/coverage/index.html'

EXAMPLES ?= 10000

deep: install ## run the tests with EXAMPLES=10000 random cases for each property, and with every mutant
	CLEW_TEST_EXAMPLES=$(EXAMPLES) CLEW_TEST_MUTANTS=all $(BIN)/python -m $(PYTEST) $(ARGS)

check: install ## format, lint, types, layers, dependencies, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/python -m $(PYTEST) $(ARGS)

bench: install ## measure against the alternatives, side by side
	$(BIN)/python -m bench

COMPILE := uv pip compile pyproject.toml requirements.in --no-config --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-annotate --quiet

lock: ## resolve the dependencies again (needs uv)
	$(COMPILE) --extra dev --group dev --output-file requirements-dev.lock --upgrade
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock --upgrade

dist: install playground ## build the packages of a release into dist/
	rm -rf dist
	$(BIN)/python -c 'import setuptools.build_meta as b; b.build_sdist("dist"); b.build_wheel("dist")' >/dev/null

clean: ## remove the set-up and the embedded database
	rm -rf $(VENV) .clew playground/node_modules clew/wire/playground/built*

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Clew needs Python 3.11 or later; this is '"$$($(PYTHON) --version)"'. Try: make PYTHON=python3.13 $(MAKECMDGOALS)' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@
