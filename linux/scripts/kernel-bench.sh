#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kernel-bench.sh [--short|--full] [OPTION...]: build the workloads and run them in both
# modes; the options are those of bench.py.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)

make -s -C "$top/linux/guest/bench" OUT="$top/build/kernel/guest/bench"
# For the prediction: record here, replay here.
[ -x "$top/build/default/cli/anonrmap" ] || make -s -C "$top" build
exec python3 -B "$top/linux/scripts/bench.py" "$@"
