# Two commands do everything: `make run` and `make test`. Each brings what it needs.
PYTHON ?= python3
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet

.PHONY: run test lint format benchmark lock generate

run: .venv/runtime
	@.venv/bin/amply up $(if $(ONCE),--once) $(if $(DATA),--data "$(DATA)") $(if $(PORT),--port $(PORT)) $(if $(LOGIN),--with-login)

# All of them in two processes (tests/scheduling.py), chosen ones in one. Processes are started by
# the hundred: bytecode is kept, whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/development
	.venv/bin/python -m pytest $(or $(TESTS),--numprocesses 2)

lint: .venv/development
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv/development
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

benchmark: .venv/development
	.venv/bin/python -m tests.benchmarks $(FIGURES)

# The generated files that are committed: schemas, AsyncAPI, OpenAPI, the sandbox's tables.
generate: .venv/development
	.venv/bin/python -m deploy.schemas
	.venv/bin/python -m edge.openapi
	.venv/bin/python -m deploy.retention_page
	.venv/bin/python -m deploy.sandbox.readme

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Amply needs Python 3.11 or newer; set PYTHON=…") if sys.version_info < (3, 11) else None'
	@echo "Creating .venv"
	@$(PYTHON) -m venv .venv

.venv/runtime: .venv/bin/python requirements/runtime.txt pyproject.toml verifier/pyproject.toml
	@echo "Installing the pinned Python packages into .venv (about a minute, once)"
	@$(PIP) install --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable verifier --editable .
	@touch $@

.venv/development: .venv/runtime requirements/development.txt
	@echo "Installing the tools for tests and checks into .venv"
	@$(PIP) install --require-hashes -r requirements/development.txt
	@touch $@

# Needs `uv`; writes requirement files with hashes and without index addresses.
lock:
	for name in build runtime; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --no-header requirements/$$name.in -o requirements/$$name.txt; done
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header -c requirements/runtime.txt -c requirements/build.txt \
		requirements/development.in -o requirements/development.txt
