# make demo: install, then train, evaluate and predict on generated scenes (about 5 minutes).
# make test: install, then the whole suite. make coverage: the same, and which lines it runs (a third
# longer). make docs: the documentation site, in site/.
# make rehearsal: the nine benchmark configurations at true size on generated data (hours).
# PIP_ARGS passes options to pip, REHEARSAL to the rehearsal.
PYTHON ?= python3
BIN := .venv/bin
PIP_ARGS ?=
REHEARSAL ?=

.PHONY: install demo test coverage lint docs rehearsal

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e . --group dev
	touch $@

demo: install
	$(BIN)/samantic demo

test: install lint
	$(BIN)/python -m pytest

coverage: install
	$(BIN)/python -m pytest --cov=samantic --cov-report=term:skip-covered --cov-fail-under=90

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: install
	$(BIN)/python -m tools.reference docs/reference
	$(BIN)/python -m zensical build --strict

rehearsal: install
	$(BIN)/python benchmarks/rehearsal.py --out runs/rehearsal $(REHEARSAL)
