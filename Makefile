# The one front door. `make help` lists what there is.
#   PRESET=release   which CMake preset `build` and `run` use (dev, release, asan, tsan)
#   JOBS=            parallel jobs (default: as many as processors)
#   ARGS=            more arguments for `parley serve`
PRESET ?= release
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 600
export PATH := $(CURDIR)/build/tools/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run build pages test test-fast bench fuzz soak format lint clean bootstrap

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Install what is missing, build, start the server with its demo pages
	@scripts/bootstrap build
	@$(MAKE) --no-print-directory build pages
	@exec build/$(PRESET)/src/cli/parley serve --dev $(ARGS)

bootstrap: ## Install what building and testing need from Debian
	@scripts/bootstrap build test

build: build/$(PRESET)/build.ninja ## Build the server (PRESET=release)
	@ninja -C build/$(PRESET) -j$(JOBS) parley

build/$(PRESET)/build.ninja:
	@cmake --preset $(PRESET) -DPARLEY_TESTS=OFF -DPARLEY_BENCH=OFF >/dev/null

pages: build/web.stamp ## Build the web pages (only when their sources changed)
	@:

build/web.stamp: $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
	@cd web && npm ci --silent --no-fund --no-audit && npm run --silent build -- --logLevel error
	@touch $@

test: ## Run everything that has to pass
	@scripts/bootstrap build test
	@python3 scripts/test

test-fast: ## Checks and unit tests only (under two minutes once built)
	@scripts/bootstrap build test
	@python3 scripts/test checks unit

bench: ## Measure: forwarding against the machine's limit, results in bench/results
	@scripts/bootstrap build test bench
	@python3 scripts/bench

fuzz: ## Fuzz every parser for FUZZ_SECONDS each
	@scripts/bootstrap build test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) python3 scripts/test fuzz

soak: ## 20,000 simulator seeds, 1,000 kills of the store, two hours of media without drift
	@scripts/bootstrap build test
	@SIM_SEEDS=20000 python3 scripts/test sim
	@ninja -C build/dev store_test >/dev/null && PARLEY_STORE_KILLS=500 build/dev/tests/store/store_test --gtest_filter='*Killed*'
	@ninja -C build/dev corpus_test >/dev/null && PARLEY_DRIFT_SECONDS=7200 build/dev/tests/corpus/corpus_test --gtest_filter='Drift.*'

format: ## Format the C++ sources
	@scripts/bootstrap lint
	@git ls-files '*.cc' '*.h' | xargs clang-format-14 -i

lint: ## clang-tidy over src
	@scripts/bootstrap build test lint
	@cmake --preset lint >/dev/null
	@git ls-files 'src/*.cc' | xargs -P $(JOBS) -n 4 clang-tidy-19 -p build/lint --quiet

clean: ## Remove everything that was built
	@rm -rf build node_modules web/dist web/node_modules tests/e2e/node_modules sdk/wxapp/miniprogram_dist
