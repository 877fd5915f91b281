# SPDX-License-Identifier: GPL-2.0
# The door: meson does the building, scripts/ the rest.

.PHONY: run test bench build setup clean

# What `make run` records: see scripts/default-job.sh.
RUN_DIR ?= build/run

run: build
	@scripts/run-default.sh build/default $(RUN_DIR)

test: setup
	@scripts/run-tests.sh

bench: build
	@scripts/run-bench.sh build/default

build: setup
	@scripts/build.sh build/default

setup:
	@scripts/setup.sh

clean:
	rm -rf build
