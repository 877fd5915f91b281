#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# fuzz.sh [--seconds N | --hours N] [--engine libfuzzer|afl] [OPTION...] [TARGET...]
#	OPTION: --seed N, --build DIR, --json FILE
#
# Fuzz the targets (default: ops and trace), one after the other, N seconds or hours each
# (default: 30 seconds), from the seed corpus in fuzz/corpus and what earlier runs found
# interesting (DIR/ENGINE-TARGET/corpus; DIR is build/fuzz). Short runs, as in "make proof",
# need no more; a night for each engine is
#
#	scripts/fuzz.sh --hours 4
#	scripts/fuzz.sh --hours 4 --engine afl
#
# A finding is an input in DIR/ENGINE-TARGET/findings, and exit status 1. Put it
# into fuzz/corpus/TARGET as found-WHAT when it is understood: from then on it is
# replayed by the ordinary tests. Exit status 3: no fuzzer here.
set -u
here=$PWD
cd "$(dirname "$0")/.." || exit 3

usage() {
	sed -n 's/^# \(fuzz.sh .*\)/usage: \1/p' "$0" >&2
	exit "${1-2}"
}

wrong() { # WHAT
	echo "fuzz: $1" >&2
	usage
}

# In libFuzzer 0, and what is no number, mean without end.
whole() { # OPTION VALUE LEAST
	case $2 in
	'' | *[!0-9]* | ??????????*) ;;
	*) [ "$2" -lt "$3" ] || return 0 ;;
	esac
	echo "fuzz: $1 $2: not a whole number from $3 to 999999999" >&2
	exit 2
}

seconds=30
engine=libfuzzer
seed=1
json=
base=build/fuzz
while [ $# -gt 0 ]; do
	case $1 in
	--seconds | --hours | --engine | --seed | --json | --build)
		[ $# -gt 1 ] || wrong "$1: a value is missing"
		case $1 in
		--seconds)
			whole "$1" "$2" 1
			seconds=$2
			;;
		--hours)
			whole "$1" "$2" 1
			# Not octal, with a zero before it.
			seconds=$(echo "$2" | awk '{ printf "%d", $1 * 3600 }')
			;;
		--engine) engine=$2 ;;
		--seed)
			whole "$1" "$2" 0
			seed=$2
			;;
		--json) json=$2 ;;
		--build) base=$2 ;;
		esac
		shift 2
		;;
	--help) usage 0 ;;
	-*) wrong "no option $1" ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || set -- ops trace
for target in "$@"; do
	case $target in
	ops | trace) ;;
	*) wrong "no target $target: ops, trace" ;;
	esac
done

# Assertions and slab checks on; ASan where a bug is found by it that nothing else sees.
# Comparisons are not traced: the inputs hold no magic numbers, and the checks compare a lot.
case $engine in
libfuzzer)
	compiler=clang
	options="-Dfuzz=libfuzzer"
	options="$options -Dc_args=['-fsanitize=fuzzer-no-link','-fno-sanitize-coverage=trace-cmp']"
	;;
afl)
	compiler=afl-clang-fast
	options="-Dfuzz=afl"
	;;
*) wrong "no engine $engine: libfuzzer, afl" ;;
esac
if ! command -v "$compiler" >/dev/null; then
	echo "fuzz: there is no $compiler: scripts/setup.sh scripts/packages-proof.txt" >&2
	exit 3
fi
absolute() { # PATH: as the caller's directory has it
	case $1 in
	/*) echo "$1" ;;
	*) echo "$here/$1" ;;
	esac
}
[ "$base" = build/fuzz ] && base=$PWD/build/fuzz || base=$(absolute "$base")
[ -z "$json" ] || json=$(absolute "$json")
build=$base/$engine
log=$build.log
mkdir -p "$base"
# AFL++ would print a banner with each file that is compiled.
export AFL_QUIET=1
if [ ! -f "$build/build.ninja" ]; then
	rm -rf "$build"
	if ! CC=$compiler meson setup "$build" $options -Dtests=false -Db_lundef=false \
		-Db_sanitize=address,undefined -Ddebug=true -Doptimization=2 \
		-Ddebug_slab=true -Ddebug_vm=true >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		exit 3
	fi
fi
if ! ninja -C "$build" fuzz/fuzz_ops fuzz/fuzz_trace >"$log" 2>&1; then
	grep -v '^\[' "$log" | tail -n 60 >&2
	echo "fuzz: cannot build; all of it is in $log" >&2
	exit 3
fi

# The last number after a word in a log, or 0.
number_after() { # WORD LOG
	number=$(grep -o "$1[ :]*[0-9][0-9]*" "$2" | grep -o '[0-9]*$' | tail -n 1)
	echo "${number:-0}"
}

run_libfuzzer() { # TARGET DIR; sets runs and coverage
	"$build/fuzz/fuzz_$1" -seed="$seed" -max_total_time="$seconds" -max_len="$max_len" \
		-entropic=0 -timeout=120 -rss_limit_mb=4096 -print_final_stats=1 \
		-artifact_prefix="$2/findings/" "$2/corpus" "fuzz/corpus/$1" >"$2/log" 2>&1
	runs=$(number_after stat::number_of_executed_units "$2/log")
	coverage=$(number_after cov: "$2/log")
}

run_afl() { # TARGET DIR
	rm -rf "$2/afl"
	AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1 \
		AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 ASAN_OPTIONS=abort_on_error=1:symbolize=0 \
		afl-fuzz -i "fuzz/corpus/$1" -o "$2/afl" -V "$seconds" -s "$seed" -G "$max_len" \
		-t 10000 -m none -- "$build/fuzz/fuzz_$1" >"$2/log" 2>&1
	for finding in "$2"/afl/default/crashes/id* "$2"/afl/default/hangs/id*; do
		[ ! -f "$finding" ] || cp "$finding" "$2/findings/"
	done
	runs=$(number_after 'execs_done' "$2/afl/default/fuzzer_stats")
	coverage=$(number_after 'edges_found' "$2/afl/default/fuzzer_stats")
}

status=0
number=0
list=
echo "1..$#"
for target in "$@"; do
	number=$((number + 1))
	dir=$base/$engine-$target
	rm -rf "$dir/findings"
	mkdir -p "$dir/findings" "$dir/corpus"
	max_len=900
	[ "$target" = ops ] || max_len=16384
	"run_$engine" "$target" "$dir"
	findings=$(find "$dir/findings" -type f | wc -l)
	if [ "$findings" -eq 0 ] && [ "$runs" -gt 0 ]; then
		echo "ok $number - $engine $target: $runs inputs, $coverage edges, no finding"
	else
		status=1
		echo "not ok $number - $engine $target: $runs inputs, $findings findings"
		grep -m 1 -E '^fuzz-ops:|ERROR: AddressSanitizer|runtime error|BUG' "$dir/log" |
			sed 's/^/# /'
		echo "# $dir/log; repeat: $build/fuzz/fuzz_$target FILE; shorten:" \
			"fuzz_$target -minimize_crash=1 -max_total_time=60 FILE"
		find "$dir/findings" -type f | sed 's/^/# /'
	fi
	echo "executions: $runs"
	list="$list${list:+,}{\"target\":\"$target\",\"engine\":\"$engine\",\"seconds\":$seconds"
	list="$list,\"seed\":$seed,\"inputs\":$runs,\"edges\":$coverage,\"findings\":$findings}"
done
[ -z "$json" ] || printf '{"schema_version":1,"fuzz":[%s]}\n' "$list" >"$json"
exit $status
