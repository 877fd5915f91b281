#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run-default.sh BUILD OUT: record the default job, replay it on both topologies
# under memory pressure, and print what each costs.
set -u
build=$1
out=$2
mkdir -p "$out" || exit 1
exec "$build/cli/anonrmap" run -o "$out" --check full --reclaim 5 --migrate 5 -- \
	"$(dirname "$0")/default-job.sh"
