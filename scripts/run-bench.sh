#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run-bench.sh BUILD: the measurements of docs/measurements.md. Machines are noisy:
# compare the two topologies, which take turns, and take the median of the rounds.
set -u
build=$1
rounds=${ROUNDS:-3}

for name in processes pages cow generations; do
	round=0
	while [ $round -lt "$rounds" ]; do
		for topology in regular lazy; do
			"$build/bench/scale" $name $topology || exit 1
		done
		round=$((round + 1))
	done
done | "$(dirname "$0")/medians.py"
