# Needs Python >= 3.11 and make; everything else is installed into .venv, locked by hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install dev playground test coverage deep check bench lock site dist clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

install: $(STAMP) ## set up .venv with the locked dependencies and the command .venv/bin/clew

dev: install ## serve the demo project on http://127.0.0.1:8000 with an embedded Postgres
	@$(BIN)/python playground/build.py --beside &
	$(BIN)/clew dev

playground: install ## build the playground's page (needs npm)
	$(BIN)/python playground/build.py

# Each worker takes tests in their order, so that it keeps what it has set up.
# Half as many again as there are processors: tests wait for Postgres, servers and timers a third of the time.
PYTEST := pytest -n $(shell $(PYTHON) -c 'import os; print(-(-3 * (os.cpu_count() or 1) // 2))') --dist worksteal

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
ROUNDS ?= 1000

deep: install ## run the tests with EXAMPLES=10000 random cases for each property, ROUNDS=1000 of faults, and every mutant
	CLEW_TEST_EXAMPLES=$(EXAMPLES) CLEW_TEST_ROUNDS=$(ROUNDS) CLEW_TEST_STORM=$(ROUNDS) CLEW_TEST_MUTANTS=all \
		$(BIN)/python -m $(PYTEST) $(ARGS)

check: install ## format, lint, types, layers, dependencies, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/python -m $(PYTEST) $(ARGS)

bench: install ## measure against the alternatives, side by side; PART=live measures a part (bench/README.md)
	$(BIN)/python -m bench$(if $(PART),.$(PART)) $(ARGS)

COMPILE := uv pip compile --no-config --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-annotate --quiet --upgrade

lock: ## resolve the dependencies again (needs uv)
	$(COMPILE) --extra dev --group dev --output-file requirements-dev.lock pyproject.toml requirements.in
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml requirements.in
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements-docs.lock --group docs

# The generator knows one word after a fence, and one folder of pages.
site: install ## build the documentation's site into build/site/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-docs.lock
	rm -rf build/docs build/site
	mkdir -p build/docs
	cp -R docs/. SECURITY.md CHANGELOG.md docker-compose.yml build/docs
	for page in build/docs/*.md; do \
		sed -E -e 's/^(```[a-z]+) [a-z-]+$$/\1/' -e 's#\]\((\.\./|docs/)#](#g' $$page >build/page && mv build/page $$page || exit; \
	done
	$(BIN)/zensical build --strict
	@echo 'Read it: $(BIN)/python -m http.server --directory build/site --bind 127.0.0.1 8080'

dist: install playground ## build the packages of a release into dist/
	rm -rf dist build/lib
	$(BIN)/python -c 'import setuptools.build_meta as b; b.build_sdist("dist"); b.build_wheel("dist")' >/dev/null

clean: ## remove the set-up and the embedded database
	rm -rf $(VENV) .clew .cache build playground/node_modules clew/wire/playground/built*

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Clew needs Python 3.11 or later; this is '"$$($(PYTHON) --version)"'. Try: make PYTHON=python3.13 $(MAKECMDGOALS)' >&2; exit 1; }
	@echo 'Installing the locked dependencies into $(VENV). This takes a minute or two.'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@
