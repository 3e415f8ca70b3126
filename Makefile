# Every target sets up what it needs in .venv. PYTHON chooses the interpreter that makes it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(VENV)/.packages
# An installed package knows its modules: it is installed again where one came, went or moved.
MODULES := $(shell find axsim -name '*.py' | LC_ALL=C sort | cksum | cut -d ' ' -f 1)
INSTALLED := $(VENV)/.installed-$(MODULES)
JOBS := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

.PHONY: demo test lint docs sanitize tables bench build clean

demo: $(INSTALLED)
	$(BIN)/axsim demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror native/*/*.cpp native/*/*.h
	$(BIN)/mypy
	$(BIN)/python tools/check_stubs.py

# The pages and the API from the docstrings, as a site that loads nothing from elsewhere. A warning is an error.
SITE := build/site
docs: $(INSTALLED)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs $(SITE)
	! grep --recursive --include='*.html' -E '<(script|link|img)[^>]*(src|href)="(https?:)?//' $(SITE)

# The tests of the engines with a compiled module that reports bad memory accesses and undefined behaviour. (Leaks are not
# looked for: Python leaves memory behind. Races are: tests/native/test_all_sources.py compiles for that. And a child
# forked while another thread allocates memory waits forever for the sanitizer's own allocator.)
SANITIZED := build/sanitized
RUNTIMES = $(shell g++ -print-file-name=libasan.so) $(shell g++ -print-file-name=libstdc++.so)
sanitize: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(SANITIZED) \
	  --config-settings=build-dir=$(SANITIZED)-objects \
	  --config-settings=cmake.define.AXSIM_SANITIZE=address,undefined .
	LD_PRELOAD="$(RUNTIMES)" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=$(SANITIZED) \
	  $(BIN)/python -P -m pytest -p no:cacheprovider tests/engines --ignore tests/engines/gpu \
	    --deselect tests/engines/cpu/test_team.py::test_fork_while_other_threads_compute

tables: $(INSTALLED)
	$(BIN)/python tools/build_tables.py

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.gemm --quick
	$(BIN)/python -m benchmarks.conv --quick
	$(BIN)/python -m benchmarks.networks --quick

build: $(INSTALLED)

# What axsim needs is installed when that changes, its kernels are compiled when the C++ sources change; Python sources are
# used in place.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(PACKAGES): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "installing what axsim needs into $(VENV) (minutes, where it must be downloaded) ..."
	@AXSIM_NATIVE=0 $(PIP) -c constraints.txt --editable ".[torch,demo,dev]"
	@touch $@

$(INSTALLED): $(PACKAGES) CMakeLists.txt $(wildcard native/*/*.cpp native/*/*.h)
	@echo "compiling the kernels (less than a minute) ..."
	@CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(PIP) --no-deps --force-reinstall --editable .
	@touch $@

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
