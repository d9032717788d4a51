# Needs python3 (3.11 or later) with venv, and nothing else. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Else every process of the tests compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

TWO_AT_A_TIME = $(MAKE) --no-print-directory --jobs=2
# What each target prints stands together.
IN_ORDER := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
# One at a time: the environment and the programs may both have Debian packages to install.
APT_INSTALL := flock /var/lib/dpkg sh -c \
  'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$@" >/dev/null' apt-get

.DEFAULT_GOAL := help
.PHONY: programs help setup run test check-behaviour check-pyright check-mypy check-collection check-ruff check-imports check-generated bench load soak lock format snapshots pictures bundle release-check clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## Make the environment in .venv.

run: $(STAMP) ## Serve the practice workspace to agents over HTTP on 127.0.0.1, and say how to connect.
	@$(BIN)/trustpager-mcp serve --transport http --sandbox

# The types are checked beside the tests, which leave the processors idle at times.
test: ## Run every check and every test.
	@$(TWO_AT_A_TIME) setup programs
	@$(TWO_AT_A_TIME) $(IN_ORDER) check-collection check-ruff check-imports check-generated
	@$(TWO_AT_A_TIME) check-behaviour check-pyright check-mypy

check-behaviour:
	@echo "== pytest: behaviour"
	@$(BIN)/python -m pytest --numprocesses $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) --dist loadfile --no-loadscope-reorder

check-pyright:
	@echo "== pyright: types, as editors see them"
	@$(BIN)/pyright

check-mypy:
	@echo "== mypy: types, strictly"
	@$(BIN)/mypy

# Also compiles the tests once for all processes that run them.
check-collection:
	@echo "== pytest: every test can be found"
	@found=$$($(BIN)/python -m pytest --collect-only --quiet --quiet 2>&1) || { echo "$$found"; exit 1; }

check-ruff:
	@echo "== ruff: style and common mistakes"
	@$(BIN)/ruff check

check-imports:
	@echo "== import-linter: imports point one way"
	@$(BIN)/lint-imports

check-generated:
	@echo "== definitions: in their canonical format"
	@$(BIN)/python scripts/format_definitions.py --check
	@$(BIN)/python scripts/write_tools_page.py --check
	@$(BIN)/python scripts/write_settings_page.py --check

bench: $(STAMP) ## Run the project's own benchmarks.
	@$(BIN)/python bench/run.py

load: $(STAMP) ## Measure the HTTP server under load, 20 s. Longer, two replicas: make load ARGS="--seconds 60 --replicas 2"
	@$(BIN)/python bench/load.py $(ARGS)

soak: $(STAMP) ## Ten minutes of calls while the API fails in every way; count duplicate and lost writes. Shorter: ARGS="--seconds 60"
	@$(BIN)/python bench/soak.py $(ARGS)

lock: ## Redo the lock files. Newest pins: make lock ARGS=--upgrade
	@PYTHON=$(PYTHON) scripts/lock.sh $(ARGS)

format: $(STAMP) ## Rewrite code and definitions in the project's style.
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format
	@$(BIN)/python scripts/format_definitions.py
	@$(BIN)/python scripts/write_tools_page.py
	@$(BIN)/python scripts/write_settings_page.py

snapshots: $(STAMP) ## Write the golden snapshots of all tools anew; then read the change.
	@$(BIN)/python scripts/write_snapshots.py

pictures: $(STAMP) ## Draw the pictures of what commands print anew; then look at them.
	@$(BIN)/python scripts/write_pictures.py

bundle: $(STAMP) ## Build the bundle that Claude Desktop installs (needs Node and the network).
	@$(BIN)/python scripts/build_bundle.py

release-check: $(STAMP) ## Build wheel, sdist, image context and bundle from a clean tree, and try them. See docs/releasing.md.
	@$(BIN)/python scripts/check_release.py $(ARGS)

clean: ## Remove the environment, caches and build output.
	rm -rf $(VENV) build dist tests/conformance/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What some tests drive besides Python. Where it cannot be installed, those tests say so and are skipped.
programs:
	@missing=""; \
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$$missing chromium"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "== installing$$missing"; \
	  $(APT_INSTALL) $$missing; \
	elif [ -n "$$missing" ]; then \
	  echo "== missing:$$missing (tests that need it are skipped; on Debian: sudo apt-get install$$missing)"; \
	fi

# One shell for the whole recipe: a missing ensurepip is found before a half-made environment is left behind. The pip that Python
# brings takes twice as long as the pinned one; what is imported is compiled then.
$(STAMP): pyproject.toml requirements-dev.lock requirements-build.lock
	@set -e; \
	command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or later." >&2; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: 3.11 or later is needed. Name one: make PYTHON=python3.12" >&2; exit 1; }; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	    package=$$($(PYTHON) -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))'); \
	    if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	      echo "$(PYTHON) lacks venv. On Debian or Ubuntu: sudo apt-get install python3-venv (or $$package)" >&2; exit 1; \
	    fi; \
	    echo "== $(PYTHON) lacks venv: installing $$package"; \
	    $(APT_INSTALL) "$$package"; \
	  fi; \
	  echo "== making $(VENV)"; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi; \
	echo "== installing what requirements-dev.lock pins"; \
	$(BIN)/python -m pip install -qq --no-compile --require-hashes -r requirements-build.lock; \
	$(BIN)/python -m pip install -qq --no-compile --require-hashes -r requirements-dev.lock; \
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .; \
	touch $@
