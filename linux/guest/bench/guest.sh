#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# guest.sh BINARIES FORM PART: what runs inside the guest, see docs/kernel-bench.md.
# BINARIES holds bench and predict_tree; FORM is short or full; PART is times (what is
# timed) or counts (objects). Figures come out on stdout. The status is 1 if
# any workload failed; the others run all the same.
set -u
if [ ! -e /run/anonrmap-guest ]; then
	echo "guest.sh: this is not the guest of linux/lab" >&2
	exit 2
fi
binaries=$1 form=$2 part=$3
here=$(cd "$(dirname "$0")" && pwd)
status=0

# All that runs lies in memory, so that nothing is read from the host in the meantime.
work=$(mktemp -d) && mount -t tmpfs bench "$work" || exit 1
cp "$binaries/bench" "$binaries/predict_tree" "$work" || exit 1
cd "$work" || exit 1
TMPDIR=$work
export TMPDIR
PATH=$work:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
echo "kernel $(uname -r)"

# workload ARGUMENTS: one workload of bench, and how long it took the guest
workload() {
	begin=$(cut -d' ' -f1 /proc/uptime)
	if ! bench "$@"; then
		echo "guest.sh: failed: bench $*" >&2
		status=1
	fi
	end=$(cut -d' ' -f1 /proc/uptime)
	echo "took $begin $end $*"
}

# A shell, a program to start and their libraries in memory: no path leads to the host.
shell_root() {
	root=$work/root
	mkdir -p $root
	for file in /bin/sh /bin/true $(ldd /bin/sh /bin/true | grep -o '/[^ ]*' | grep -v :); do
		real=$(readlink -f "$file")
		mkdir -p "$root$(dirname "$file")"
		cp "$real" "$root$file" || return 1
	done
}

# Reclaim as classic LRU lists do it: what is not in use goes at the first pass, and is
# looked up by rmap; with generations, aging walks page tables instead.
classic_lru() {
	if [ -e /sys/kernel/mm/lru_gen/enabled ]; then
		echo n >/sys/kernel/mm/lru_gen/enabled
	fi
	echo 0 >/proc/sys/vm/page-cluster
}

if [ "$form" = full ]; then
	many=4 generations=100000
else
	many=1 generations=10000
fi

classic_lru
case $part in
times)
	# In several processes: where slabs and trees happen to stand makes a difference of 2 %
	# that stays for the life of a process.
	for process in 1 2 3 4 5 6; do
		workload vmas reps=$((4 * many)) at_once_reps=$((process <= 2))
	done
	workload vmas reps=$((5 * many)) threads=2
	for threads in 1 2; do
		workload fork vmas=20 reps=$((100 * many)) threads=$threads
		workload fork vmas=1000 reps=$((9 * many)) threads=$threads
		workload fork vmas=10000 reps=$((2 + many)) threads=$threads
	done
	shell_root && cd "$work/root" || status=1
	workload shell execs=20 reps=$((5 * many)) chroot=1 -- /bin/sh -c \
		'i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i + 1)); done'
	cd "$work" || exit 1
	workload reclaim page=exclusive pages=512 moves=$((8 * many)) outs=3
	for page in cowed younger; do
		workload reclaim page=$page children=400 pages=256 \
			moves=$((6 * many)) outs=3
	done
	for children in 1 24 400; do
		workload reclaim page=shared children=$children pages=128 \
			moves=$((6 * many)) outs=5
	done
	workload ksm vmas=20000 walks=$many
	workload contention calls=$((800 * many))
	workload contention calls=$((160 * many)) processes=24 between=2000 walkers=4
	workload storms against=fork ms=$((300 * many))
	workload storms against=vma ms=$((300 * many))
	;;
counts)
	workload phone
	workload spawned -- $work/predict_tree hold
	workload generations n=$generations
	for program in compile.sh pool.py apache.py; do
		cp "$here/$program" $work
		workload peak -- $work/$program
	done
	;;
*)
	echo "guest.sh: no such part: $part" >&2
	exit 2
	;;
esac
exit $status
