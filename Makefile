# Everything is set up by whichever target needs it: python3 with venv, a C++ compiler and make
# are all that a machine must have.

PYTHON ?= python3
# One more than most machines of CI have cores: a test often waits for a compiler or a process.
JOBS ?= 3

VENV := .venv
BIN := $(VENV)/bin
FOLDERS := app boards codegen core hls_templates qat sim streamline

.DELETE_ON_ERROR:
.PHONY: help demo test dev clean FORCE

help:
	@echo 'make demo    set up, then run the whole pipeline on data that need no download'
	@echo 'make test    set up, then lint, type-check and test'
	@echo 'make dev     set up only: the environment is $(VENV), lutloom is $(BIN)/lutloom'
	@echo 'make clean   remove what the other targets made'
	@echo 'PYTHON=...   the Python to build the environment from (now $(PYTHON))'
	@echo 'JOBS=...     how many tests run at once (now $(JOBS))'

demo: build/.installed
	$(BIN)/lutloom demo --force

test: build/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS)

dev: build/.installed
	@echo 'lutloom is installed: $(BIN)/lutloom'

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find $(FOLDERS) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment counts as made only when it is complete: one without pip is made again.
$(VENV)/.created:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo '$(PYTHON) is not found: install Python 3.11 or newer,' \
	    'or name one with `make PYTHON=/path/to/python3`' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo '$(PYTHON) is Python' \
	    "$$("$(PYTHON)" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'):" \
	    'lutloom needs 3.11 or newer; name one with `make PYTHON=/path/to/python3`' >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
	  echo '$(PYTHON) cannot make virtual environments: install its venv module' \
	    '(on Debian and Ubuntu the package python3-venv)' >&2; exit 1; }
	@touch $@

# The list of files, not their content: an editable install links file by file, so that a new
# file needs a new install and a changed one does not. Rewritten only when it differs.
$(VENV)/sources.txt: FORCE | $(VENV)/.created
	@find $(FOLDERS) -type f ! -name '*.pyc' | LC_ALL=C sort > $@.new
	@cmp -s $@.new $@ || cp $@.new $@
	@rm $@.new

# In build/, beside the links it vouches for. The pinned setuptools builds, not the newest.
build/.installed: $(VENV)/.created $(VENV)/sources.txt pyproject.toml constraints.txt
	@echo 'Installing into $(VENV) (the first time: a few minutes)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt setuptools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt --no-build-isolation -e '.[all,dev]'
	@touch $@
