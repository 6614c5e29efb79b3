# One command a habit. `make demo PYTHON=python3.12` takes another Python.
PYTHON ?= python3
PIP = -m pip install --quiet --disable-pip-version-check
WORKERS ?= 2
PYTEST = -m pytest -n $(WORKERS) --dist loadfile

VENV = .venv
OLDEST = .venv-oldest
DEMO_READY = $(VENV)/installed-demo
DEV_READY = $(VENV)/installed-dev
OLDEST_READY = $(OLDEST)/installed

.PHONY: help demo test test-slow test-oldest bench lint types clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         train the bond angle, write out/grad_angle.png and out/sim_angle.gif"
	@echo "make test         all tests but the slow ones and those that need a GPU"
	@echo "make test-slow    the slow ones"
	@echo "make test-oldest  all tests with the oldest versions of what xpmd depends on"
	@echo "make bench        speed and memory, beside other programs; writes docs/benchmarks.md"
	@echo "make lint         style, formatting, layers"
	@echo "make types        mypy"
	@echo "make clean        remove environments, caches and outputs"

demo: $(DEMO_READY)
	$(VENV)/bin/python examples/bond_angle.py --backend numpy

test: $(DEV_READY)
	$(VENV)/bin/python $(PYTEST)

test-slow: $(DEV_READY)
	$(VENV)/bin/python $(PYTEST) -m "slow and not gpu"

# NumPy 1.26 is told to keep float32, as NumPy 2 does unasked; xpmd refuses float32 where it does not.
test-oldest: $(OLDEST_READY)
	NPY_PROMOTION_STATE=weak $(OLDEST)/bin/python $(PYTEST)

# BENCH takes further options: make bench BENCH="--peer-python jax-md=PYTHON".
bench: $(DEV_READY)
	$(VENV)/bin/python -m xpmd bench --peers --json out/bench.json --markdown docs/benchmarks.md \
		--plot docs/images $(BENCH)

lint: $(DEV_READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

types: $(DEV_READY)
	$(VENV)/bin/mypy

clean:
	rm -rf $(VENV) $(OLDEST) out build dist .hypothesis .*_cache
	find core plugins backends tests examples -name __pycache__ -prune -exec rm -rf {} +

# Each environment once; again only where a file named here is newer.
$(VENV)/bin/python $(OLDEST)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("xpmd needs Python 3.11 or later, and $(PYTHON) is %d.%d: make PYTHON=python3.11 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(@D:/bin=)

$(DEMO_READY): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -c constraints.txt -e '.[cli,viz]'
	@touch $@

$(DEV_READY): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP) -c constraints.txt -e '.[torch,jax,dev]'
	@touch $@ $(DEMO_READY)

$(OLDEST_READY): pyproject.toml constraints-oldest.txt | $(OLDEST)/bin/python
	$(OLDEST)/bin/python $(PIP) -c constraints-oldest.txt -e '.[torch,jax,dev]'
	@touch $@
