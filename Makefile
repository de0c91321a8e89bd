# The project's commands. Each one sets up what it needs first; once set up that takes about a second.

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit chaos mutate survival evidence check docs bench clean lock tools world

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input
PIN := --generate-hashes --no-emit-index-url --python-version 3.11 --universal --no-header --quiet \
  $(if $(UPGRADE),--upgrade)
LOCK := uv pip compile pyproject.toml $(PIN) --extra postgres --extra web

# pytest-xdist workers; a file stays with one of them, so that its world is started once
WORKERS ?= 2
# what `make demo` plays: crash, hedge, morpho, compound or venus; crash if empty
SCENARIO ?=
ARGS ?=
# how many runs `make chaos` plays, or the one
SEEDS ?= 30
SEED ?=
# a folder of price histories for `make survival`
PRICES ?=

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name what; do \
	  printf '  make %-8s %s\n' "$$name" "$$what"; done
	@echo '  PYTHON=…      the Python (3.11 or later) to build .venv with'

setup: tools $(VENV)/.keeper world ## virtual environment, packages, local world; cached

demo: setup ## a crash, two identical positions, one of them kept (SCENARIO=hedge: a hedged book, morpho, compound or venus: in a market of these)
	@$(PY) -m sandbox.demo $(SCENARIO) $(ARGS)

test: setup ## all tests (ARGS="tests/core -x" for some)
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

unit: $(VENV)/.keeper ## the quick tests: no chain, no database server, no Node.js, no process to wait for (ARGS as above)
	@env -u PYTHONDONTWRITEBYTECODE QUICK_EXAMPLES=12 $(PY) -m pytest -n $(WORKERS) --dist loadfile -m "not world and not server and not slow" $(ARGS)

chaos: setup ## faults, kills and reorgs by seed (SEEDS=200, or SEED=123 for one)
	@$(PY) tests/chaos/run.py $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) --workers $(WORKERS) $(ARGS)

survival: setup ## crashes in lockstep against a liquidator, with a table (ARGS="--quick", PRICES=folder of histories)
	@$(PY) -m sandbox.survival $(if $(PRICES),--prices $(PRICES)) $(ARGS)

evidence: $(VENV)/.keeper ## docs/evidence.md from price files (PRICES=folder of CSV)
	@$(PY) -m tools.evidence $(if $(PRICES),$(PRICES),$(error PRICES=folder with files of bars)) $(ARGS)

mutate: setup ## change each of the most dangerous lines: does a fast test notice? (WORKERS=2)
	@WORKERS=$(WORKERS) $(PY) tools/mutate.py

docs: $(VENV)/.keeper ## the documentation as a site, in site/; a broken link fails (ARGS=serve shows it while you write)
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs --quiet $(or $(ARGS),build --strict)

check: setup docs ## lint, format, types, layers, links of the documentation
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

bench: setup ## how long a cycle takes, and what it spends its time on
	@$(PY) -m bench $(ARGS)

lock: ## pin all dependencies anew (needs uv; UPGRADE=1 takes the newest)
	@command -v uv >/dev/null || { echo 'make: uv is missing: install it with `pipx install uv`, then run `make lock` again' >&2; exit 1; }
	$(LOCK) -o requirements.lock
	$(LOCK) --group dev -o requirements-dev.lock
	uv pip compile --group pyproject.toml:build $(PIN) -o requirements-build.lock

clean: ## remove everything that setup made
	rm -rf $(VENV) sandbox/node_modules sandbox/morpho/node_modules sandbox/build sandbox/run dist site demo-report.json
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- setup, step by step; each step leaves a stamp, so it runs again only when what it was made from changes ---------

# $(call step,NUMBER,TITLE,COMMAND): a line before, the seconds after, the command's output only when it fails
define step
@printf '[%s] %s …\n' '$(1)' '$(2)'; began=$$(date +%s); log=$$(mktemp); \
if { $(3); } >"$$log" 2>&1 </dev/null; then \
  printf '[%s] %s … %s s\n' '$(1)' '$(2)' "$$(($$(date +%s) - began))"; rm -f "$$log"; \
else cat "$$log" >&2; rm -f "$$log"; echo 'make: [$(1)] $(2): failed, see above' >&2; exit 1; fi
endef

# sets $python to the Python to use, or to nothing
define find_python
python=; for each in $(or $(PYTHON),python3.11 python3.12 python3.13 python3); do \
  if [ -z "$$python" ] && "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
  then python=$$each; fi; done
endef

# all that is missing, at once
tools:
	@missing=; need() { command -v "$$1" >/dev/null || { echo "make: $$1 is missing: $$2" >&2; missing=1; }; }; \
	need node 'install Node.js 20 or later, https://nodejs.org (it brings npm)'; \
	need npm 'install Node.js 20 or later, https://nodejs.org (it brings npm)'; \
	need git 'install git from your package manager'; \
	if [ ! -e $(VENV)/.made ]; then \
	  $(find_python); \
	  if [ -z "$$python" ]; then missing=1; \
	    echo 'make: $(or $(PYTHON),python3) is missing or older than Python 3.11: install one, or name it: make PYTHON=/path/to/python' >&2; \
	  elif ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then missing=1; \
	    echo "make: $$python has no venv: install its package (python3-venv on Debian and Ubuntu)" >&2; fi; fi; \
	test -z "$$missing"

# a clone that was moved, or a Python that went away, leaves an environment that only looks usable
$(shell [ ! -e $(VENV)/.made ] || { [ "$$(cat $(VENV)/.made)" = "$(CURDIR)" ] && $(PY) -c ''; } 2>/dev/null || rm -rf $(VENV))

$(VENV)/.made: | tools
	$(call step,python 1/3,virtual environment,$(find_python); "$$python" -m venv $(VENV))
	@echo '$(CURDIR)' >$@

$(VENV)/.packages: requirements-dev.lock $(VENV)/.made
	$(call step,python 2/3,Python packages,$(PIP) install --require-hashes -r requirements-dev.lock)
	@touch $@

$(VENV)/.keeper: pyproject.toml $(VENV)/.packages
	$(call step,python 3/3,the keeper itself,$(PIP) install --no-deps --no-build-isolation -e . && $(PY) -m compileall -q keeper)
	@touch $@

world: $(VENV)/.keeper
	@$(PY) -m sandbox.install
