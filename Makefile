# make demo: everything from nothing to a finished study. make test: the same set-up and the whole suite.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(name) -c 'import sys; print("$(name)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

# Where containers turn off compiled files, every process would compile this program and its tests anew.
TESTING := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: install demo test test-long lint typecheck docs clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Python 3.11 or newer is needed; name it as in: make install PYTHON=/path/to/python3.12" >&2; exit 2; }
	@echo "setting up $(VENV): about 2 GB, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[benchmark,botorch,cmaes,dev]'
	@touch $@

demo: install
	$(BIN)/python -m orchestrator +study=pbt_digits

test: install
	$(TESTING) -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

test-long: install
	$(TESTING) -m long $(ARGS)
	$(TESTING) -m "hypothesis or damage" --hypothesis-profile=thorough -n 2 $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: install
	$(BIN)/mypy

docs: install
	$(BIN)/python -m tests.documentation.reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
