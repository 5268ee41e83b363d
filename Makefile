# Every verb sets up what it needs: a virtual environment in .venv and the built core.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLANG ?= clang

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench asan fuzz docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 14

SOURCES := setup.py pyproject.toml \
	$(wildcard codec/*.pyx codec/*.pxi codec/feeds/*.pyx src_c/*.c src_c/*.h)

$(VENV)/packages: pyproject.toml
	@echo "setting up $(VENV) (needs the package index, takes a quarter of a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(VENV)/built: $(VENV)/packages $(SOURCES)
	@echo "building the compiled modules"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-build-isolation \
	--no-deps --editable .
	@touch $@

demo: $(VENV)/built ## a real payload, a million updates, ten seconds of a live feed
	$(BIN)/python -m codec demo

test: $(VENV)/built ## the test suite
	$(BIN)/python -m pytest

lint: $(VENV)/built ## ruff, clang-format, cython-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror src_c/*.[ch] tests/c/*.c
	PATH="$(BIN):$$PATH" cython-lint codec/_core.pyx codec/_core_*.pxi codec/feeds/_listener.pyx

types: $(VENV)/built ## mypy strict, and the stubs against the built core
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml --allowlist tests/stubtest_allowlist.txt codec._core codec.feeds._listener

bench: $(VENV)/built ## measure, and write bench/results/
	-@$(BIN)/python -m pip install --quiet --group rivals
	$(BIN)/python -m bench

# The core is built a second time, into build/asan, and found there before the one in
# .venv. Python's own allocator makes way for malloc, so that its buffers are watched as
# well; libstdc++ is loaded first because numpy's exceptions pass through it. The programs
# of tests/test_c.py are sanitized wherever they run, and need no second time; nor does
# what tests Python alone, or commands, whose compiled parts have tests of their own.
ASAN := build/asan
LIBASAN = $(shell $(CC) -print-file-name=libasan.so)
ASAN_IGNORED := $(foreach name,c bench* demo layers readme evm* cli* recording* simulator* \
	taxonomy* asset* export* summary dask* examples known_crafted \
	aggregator_publishing aggregator_signing aggregator_simulator*,$(wildcard tests/test_$(name).py)) \
	$(foreach name,absence aggregator_checks aggregator_protocol aggregator_publisher checks \
	conflation duplicates endpoint events logs metrics proxy reconnects publishing pusher* recorded_feed \
	reports retry shuriken* soak stork_fast words,$(wildcard tests/feeds/test_$(name).py)) tests/chain
LIBSTDCXX = $(shell $(CC) -print-file-name=libstdc++.so.6)

asan: $(VENV)/built ## the test suite with AddressSanitizer and UBSan in the core
	@test -f "$(LIBASAN)" || { echo "make asan needs gcc with libasan (Debian: gcc, libasan)"; exit 1; }
	mkdir -p $(ASAN)
	cp -Rp codec src_c setup.py pyproject.toml $(wildcard README.md LICENSE) $(ASAN)/
	rm -f $(ASAN)/codec/*.so $(ASAN)/codec/feeds/*.so
	cd $(ASAN) && CODEC_SANITIZE=1 $(CURDIR)/$(BIN)/python setup.py --quiet build_ext --inplace
	CODEC_SANITIZE=1 PYTHONPATH=$(CURDIR)/$(ASAN):$(CURDIR) PYTHONMALLOC=malloc \
	LD_PRELOAD="$(LIBASAN) $(LIBSTDCXX)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	$(BIN)/pytest -p no:faulthandler -p no:cacheprovider $(addprefix --ignore=,$(ASAN_IGNORED))

FUZZ_SECONDS ?= 60
FUZZ_FLAGS := -std=c11 -O1 -g -fno-strict-aliasing -D_DEFAULT_SOURCE -pthread \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_SOURCES := tests/c/fuzz.c tests/c/invariants.c tests/c/aggregator_invariants.c

build/fuzz/fuzz: $(FUZZ_SOURCES) $(wildcard tests/c/*.h src_c/*.[ch])
	@mkdir -p build/fuzz
	@$(CLANG) $(FUZZ_FLAGS) -Isrc_c $(FUZZ_SOURCES) $(wildcard src_c/*.c) -o $@ || { \
	echo "make fuzz needs clang and its fuzzer runtime (Debian 12: clang, libclang-rt-14-dev)"; \
	exit 1; }

fuzz: build/fuzz/fuzz $(VENV)/built ## libFuzzer on the decoder for FUZZ_SECONDS (60)
	$(BIN)/python tests/c/make_seeds.py build/fuzz/seeds
	@mkdir -p build/fuzz/corpus
	build/fuzz/fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -print_final_stats=1 \
	-dict=tests/c/fuzz.dict -artifact_prefix=build/fuzz/ build/fuzz/corpus build/fuzz/seeds

docs: bench ## refresh the figures and the plot that README shows

clean: ## forget everything that was built
	rm -rf $(VENV) .venv-* build dist *.egg-info codec/*.so codec/feeds/*.so .pytest_cache .hypothesis .mypy_cache .ruff_cache
