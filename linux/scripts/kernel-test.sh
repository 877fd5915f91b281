#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The correctness run of the Linux port. kernel-test.sh --help; docs/kernel-tests.md
exec "$(dirname "$0")/kernel-test.py" "$@"
