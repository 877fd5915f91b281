# SPDX-License-Identifier: GPL-2.0
# The door: meson does the building, scripts/ the rest.

.PHONY: run test bench proof build setup clean
.PHONY: kernel kernel-bench kernel-test kernel-debug-test kernel-series kernel-setup

# What `make run` records: see scripts/default-job.sh.
RUN_DIR ?= build/run

run: build
	@scripts/run-default.sh build/default $(RUN_DIR)

test: setup
	@scripts/run-tests.sh

bench: build
	@scripts/run-bench.sh build/default

# One stage of it: make proof STAGES=schedules (docs/proof.md).
proof:
	@scripts/setup.sh scripts/packages.txt scripts/packages-proof.txt
	@scripts/proof.py $(STAGES)

build: setup
	@scripts/build.sh build/default

setup:
	@scripts/setup.sh

# The Linux port: linux/README.md.
KERNEL_BUILD = linux/scripts/build.sh

kernel: kernel-setup
	@$(KERNEL_BUILD) default
	@linux/scripts/kernel-bench.sh --short

kernel-bench: kernel-setup
	@$(KERNEL_BUILD) default
	@linux/scripts/kernel-bench.sh --full

kernel-test: kernel-setup
	@$(KERNEL_BUILD) default
	@linux/scripts/kernel-test.sh

kernel-debug-test: kernel-setup
	@$(KERNEL_BUILD) debug
	@$(KERNEL_BUILD) kcsan
	@linux/scripts/kernel-test.sh --debug

# CHECK=builds also builds and boots every patch, and the whole for other architectures.
SERIES_DIR ?= build/kernel/series
kernel-series: kernel-setup
	@[ -z "$(CHECK)" ] || scripts/setup.sh scripts/packages-series.txt
	@linux/scripts/kernel-series.sh $(if $(CHECK),--check-$(CHECK)) $(SERIES_DIR)

kernel-setup:
	@scripts/setup.sh scripts/packages.txt scripts/packages-kernel.txt

clean:
	rm -rf build
