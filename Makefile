# `make demo` and `make test` need Python 3.11 or newer with its headers, a C compiler and a package
# index; everything else they install into .venv. For another Python, say make test PYTHON=python3.12
# (the environment is made anew for it).

ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif
VERSION := $(shell $(or $(PYTHON),false) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

VENV := .venv
BIN := $(VENV)/bin
COMPILED := build/compiled
PURE := build/pure

# Named after Python's version, so that another version is noticed.
VENV_MADE := $(VENV)/.made-$(VERSION)
DEV_INSTALLED := $(VENV)/.installed-dev
DEMO_INSTALLED := $(VENV)/.installed-demo
FUZZ_INSTALLED := $(VENV)/.installed-fuzz
# With the folders: nothing else tells of a deleted module.
SOURCES := setup.py pyproject.toml $(shell find pgallop -name '*.py' -o -name '*.pxd' -o -name '*.h' -o -type d)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help bytecode demo test test-compiled test-interpreted lint types docs model bench scale page instructions chaos fuzz hostile build clean

help: ## list the targets
	@echo 'Usage: make TARGET'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO_INSTALLED) ## the tour, on a PostgreSQL of its own or on DSN=postgresql://...
	@$(BIN)/python -P -m pgallop demo $(DSN)

test: test-compiled test-interpreted ## the suite, compiled and then interpreted; for pytest: ARGS='-k wire'

test-compiled: build ## the suite on the compiled modules
	@echo '==> The suite, compiled'
	@PGALLOP_EXPECT_COMPILED=1 PYTHONPATH='$(CURDIR)/$(COMPILED)' $(BIN)/pytest $(ARGS)

test-interpreted: build ## the suite on plain Python
	@echo '==> The suite, interpreted'
	@PGALLOP_EXPECT_COMPILED=0 PYTHONPATH='$(CURDIR)/$(PURE)' $(BIN)/pytest -m 'not once' $(ARGS)

lint: $(DEV_INSTALLED) ## ruff and cython-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PATH='$(CURDIR)/$(BIN)':"$$PATH" cython-lint pgallop

types: $(DEV_INSTALLED) ## mypy and pyright
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

docs: $(DEV_INSTALLED) ## the site, in build/docs; any warning is an error
	@$(BIN)/sphinx-build -q -W --keep-going docs build/docs
	@echo '$(CURDIR)/build/docs/index.html'

model: $(VENV_MADE) ## the model of a shared connection, in spin; for it: ARGS='--all'
	@$(BIN)/python model/check.py $(ARGS)

# As an installation does it: where Python is told to write no bytecode, pgallop alone would be
# compiled at every start.
bytecode: build
	@$(BIN)/python -m compileall -q '$(COMPILED)'

# -P keeps this folder from the head of the path, where its pgallop would hide the compiled one.
bench: bytecode ## the comparison with other drivers; for the bench: ARGS='--help'
	@PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m bench $(ARGS)

scale: bytecode ## what the cost depends on, as plots; for it: ARGS='--quick'
	@PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m bench.scale $(ARGS)

page: $(DEV_INSTALLED) ## the last `make bench` and `make scale` into docs/benchmarks.md and README.md
	@$(BIN)/python -m bench.page build/bench/results.json --scale build/bench/scale.json

instructions: build ## how many instructions operations take, by valgrind; for it: ARGS='--update'
	@PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m bench.instructions $(ARGS)

chaos: build ## the long run of the robustness suite, on PostgreSQL 18 and 13; for it: ARGS='--line 1'
	@failed=0; for postgres in 18 13; do \
	    PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m tests.chaos \
	        --postgres $$postgres $(ARGS) || failed=1; \
	done; \
	PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m tests.chaos \
	    --line 1 --loop uvloop --scale 0.2 $(ARGS) || failed=1; \
	exit $$failed

# atheris has no wheel everywhere; without it both modes get the same mutator.
fuzz: build $(FUZZ_INSTALLED) ## ten minutes of mutated bytes, in both modes; for it: ARGS='--seconds 60'
	@PYTHONPATH='$(CURDIR)/$(COMPILED):$(CURDIR)' $(BIN)/python -P -m tests.fuzz \
	    --pure '$(CURDIR)/$(PURE)' $(ARGS)

hostile: build ## servers that lie, compiled and interpreted, on each event loop; for it: ARGS='--probe copy'
	@failed=0; for tree in $(COMPILED) $(PURE); do for loop in asyncio uvloop no-readers; do \
	    PYTHONPATH="$(CURDIR)/$$tree:$(CURDIR)" $(BIN)/python -P -m tests.hostile \
	        --loop $$loop $(ARGS) || failed=1; \
	done; done; \
	exit $$failed

build: $(DEV_INSTALLED) ## the two trees that the tests run on: build/compiled and build/pure
	@echo '==> Building $(COMPILED) and $(PURE)'
	@PGALLOP_REQUIRE_COMPILED=1 $(BIN)/python setup.py -q build --build-lib $(COMPILED)
	@PGALLOP_PURE=1 $(BIN)/python setup.py -q build --build-lib $(PURE)

clean: ## remove what was built and the caches; the environment stays
	rm -rf build dist *.egg-info .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +

$(VENV_MADE):
	@test -n '$(VERSION)' || { echo 'No Python 3.11 or newer here: say make PYTHON=/path/to/python' >&2; exit 1; }
	@echo '==> Making $(VENV) with Python $(VERSION)'
	@rm -f $(VENV)/.made-* $(VENV)/.installed-*
	@$(PYTHON) -m venv $(if $(wildcard $(VENV)/lib/python$(VERSION)),,--clear) $(VENV)
	@touch $@

$(DEV_INSTALLED): requirements-dev.txt $(VENV_MADE)
	@echo '==> Installing requirements-dev.txt'
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(FUZZ_INSTALLED): $(VENV_MADE)
	@echo '==> Installing atheris'
	@$(BIN)/pip install -q --disable-pip-version-check --only-binary :all: 'atheris>=3' \
	    || echo 'There is no wheel of it for this machine: going on without.'
	@touch $@

$(DEMO_INSTALLED): $(SOURCES) $(VENV_MADE)
	@echo '==> Installing pgallop[demo]'
	@$(BIN)/pip install -q --disable-pip-version-check '.[demo]'
	@touch $@
