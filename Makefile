# make run    serves the chat at http://127.0.0.1:3000
# make bench  counts what the hot path costs and what workers share, and fails if it has become more; see docs/performance.md
# make test   installs what is missing and runs everything; the parts (test-rust, test-node, ...) run alone too

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run

# A Node.js that `tests/prepare` had to fetch comes before an older one of the system.
export PATH := $(CURDIR)/tests/.node/bin:$(PATH)

# Which servers the outside tests drive: the original (reference), ours (subject), or both.
export TARGETS ?= reference,subject

# What incremental builds keep for the next one costs the first a quarter more. A checkout that has begun so goes on so.
ifeq ($(wildcard target/debug/incremental/*),)
export CARGO_INCREMENTAL ?= 0
endif

# What `run` builds.
RUN_PROFILE ?= release

# A package of its own, in the same folder of what is built.
OF_CLIENTS := cd tests/clients/rust && CARGO_TARGET_DIR=$(CURDIR)/target cargo
VENV := tests/clients/python/.venv

# For all that builds the documentation: with other flags it would be built again.
export RUSTDOCFLAGS := -D warnings

.PHONY: run page test built installed test-one test-two prepare lint test-rust test-docs test-client test-node test-cluster test-nginx test-deploy test-browser test-python servers bench clean

run: page
	exec cargo run --profile $(RUN_PROFILE) --bin greenroom

page:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory static/node_modules/.package-lock.json; \
	else echo "npm is missing: the chat is served, but its page will lack the Socket.IO client" >&2; fi

# What is compiled and installed comes first. Then two at a time, in two lanes that take about as long. More at once is no faster on
# two cores, and fails tests that look at the time; those in the browser look most of all, and are alone. What runs cargo is in one
# lane: the tests of the README wait for it.
test: prepare
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory --jobs=2 --output-sync=recurse built installed
	$(MAKE) --no-print-directory --jobs=2 --output-sync=recurse test-one test-two
	$(MAKE) --no-print-directory test-browser

built:
	cargo test --locked --no-run
	$(OF_CLIENTS) test --locked --no-run

installed: $(foreach of,tests static tests/browser,$(of)/node_modules/.package-lock.json) $(VENV)/installed

test-one:
	$(MAKE) --no-print-directory --jobs=1 test-rust
	$(MAKE) --no-print-directory --jobs=1 test-docs
	$(MAKE) --no-print-directory --jobs=1 test-client
	$(MAKE) --no-print-directory --jobs=1 test-nginx
	$(MAKE) --no-print-directory --jobs=1 test-deploy

test-two:
	$(MAKE) --no-print-directory --jobs=1 test-node
	$(MAKE) --no-print-directory --jobs=1 test-cluster
	$(MAKE) --no-print-directory --jobs=1 test-python

prepare:
	tests/prepare

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets --features _bench -- -D warnings

# Most of them wait for others: four at once take three quarters of the time on two cores.
test-rust: static/node_modules/.package-lock.json
	RUST_TEST_THREADS=4 cargo test --locked --no-fail-fast

test-docs:
	cargo doc --locked --no-deps

# The client in Rust that somebody else wrote, and with it the examples.
test-client: servers
	$(OF_CLIENTS) fmt --check
	$(OF_CLIENTS) clippy --locked --all-targets -- -D warnings
	$(OF_CLIENTS) test --locked

test-node: servers tests/node_modules/.package-lock.json
	node --test --test-timeout=900000 --test-concurrency=3 --test-reporter=spec tests/protocol/*.test.mjs tests/clients/node/*.test.mjs

# Most of the time of these files is waiting for others: several at once cost little.
test-cluster: servers tests/node_modules/.package-lock.json $(VENV)/installed
	node --test --test-timeout=900000 --test-concurrency=4 --test-reporter=spec tests/cluster/*.test.mjs

test-python: servers tests/node_modules/.package-lock.json $(VENV)/installed
	PYTHONDONTWRITEBYTECODE=1 $(VENV)/bin/python -m pytest tests/clients/python

test-nginx: servers tests/node_modules/.package-lock.json
	node --test --test-timeout=900000 --test-reporter=spec tests/nginx/*.test.mjs

test-deploy: servers tests/node_modules/.package-lock.json $(VENV)/installed
	node --test --test-timeout=900000 --test-reporter=spec tests/deploy/*.test.mjs

test-browser: servers static/node_modules/.package-lock.json tests/browser/node_modules/.package-lock.json
	node --test --test-timeout=900000 --test-concurrency=3 --test-reporter=spec tests/browser/*.test.js

# In the profile of the tests, which have built them: a release build would be minutes more.
servers:
	cargo build --locked --bins --examples

# Not part of `test`: counting takes half a minute, but the release build before it many on two cores, and a count is of use only
# with the compiler that the figures were counted with.
bench:
	benches/check
	benches/shared
	python3 benches/check_test.py
	python3 benches/shared_test.py
	python3 benches/growth_test.py

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	npm ci --no-audit --no-fund --prefix $*
	touch $@

$(VENV)/installed: tests/clients/python/requirements.txt tests/clients/python/emitters.txt tests/deploy/requirements.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --require-hashes --only-binary :all: -r $<
	$(VENV)/bin/pip install --quiet --require-hashes --only-binary :all: -r tests/deploy/requirements.txt
	$(VENV)/bin/pip install --quiet --require-hashes --only-binary :all: --no-deps -r tests/clients/python/emitters.txt
	touch $@

clean:
	cargo clean
	rm -rf static/node_modules tests/node_modules tests/browser/node_modules tests/.node $(VENV)
