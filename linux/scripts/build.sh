#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build.sh FLAVOUR: build build/kernel/out/FLAVOUR/vmlinux. Flavours: default, debug, kcsan
# (the tree with the series), off (the same as default, but without the series' options),
# stock (the default's configuration, without the series).
# Does nothing if source, configuration and compiler are those of the last build.
#
# build.sh --tree DIR --out DIR FLAVOUR builds another tree, always.
#
# Variables: JOBS (default: one for each CPU), CC, EXTRA_CONFIG (one more fragment).
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
kernel=$top/build/kernel
config=$top/linux/config
tree=
out=
while [ $# -gt 1 ]; do
	case $1 in
	--tree) tree=$(cd "$2" && pwd) ;;
	--out) out=$(mkdir -p "$2" && cd "$2" && pwd) ;;
	*) echo "build: unknown option $1" >&2; exit 2 ;;
	esac
	shift 2
done
flavour=${1-default}

fragments=("$config/base.config")
options=$config/series.config
case $flavour in
default | stock) ;;
off) options=$config/off.config ;;
debug | kcsan) fragments+=("$config/$flavour.config") ;;
*) echo "build: no flavour $flavour: default, debug, kcsan, off or stock" >&2; exit 2 ;;
esac
[ -z "${EXTRA_CONFIG-}" ] || fragments+=("$EXTRA_CONFIG")

if [ -n "$tree" ]; then
	[ -n "$out" ] || { echo "build: --tree needs --out" >&2; exit 2; }
	source=
elif [ "$flavour" = stock ]; then
	source=$("$top/linux/scripts/source.sh" --stock) || exit
	tree=$kernel/src-stock
else
	source=$("$top/linux/scripts/source.sh") || exit
	tree=$kernel/src
fi
out=${out:-$kernel/out/$flavour}
mkdir -p "$out"
exec 8>"$out/.build.lock"
flock 8

cc=${CC:-gcc}
key=$({ echo "$source $flavour"; cat "${fragments[@]}" "$options" "$0"
	"$cc" --version | head -n 1; } | sha256sum)
if [ -n "$source" ] && [ -f "$out/vmlinux" ] && [ "$(cat "$out/.built" 2>/dev/null)" = "$key" ]; then
	exit 0
fi
rm -f "$out/.built"

log=$out/build.log
run() { # WHAT COMMAND...: quiet, unless it fails
	what=$1
	shift
	if ! "$@" >>"$log" 2>&1; then
		grep -E 'error|Error|undefined|\*\*\*' "$log" | head -n 20 >&2 || true
		tail -n 15 "$log" >&2
		echo "build: $what of $flavour failed; all of it is in $log" >&2
		exit 1
	fi
}

# The new .config replaces the old one only if it says something else: the date of it decides
# what make rebuilds.
: >"$log"
# A later line about an option wins; Kconfig would warn.
cat "${fragments[@]}" "$options" | sed -n 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set$/\1=n/p
	/^CONFIG_/p' | tac | awk -F= '!seen[$1]++' | tac >"$out/.fragments"
kmake=(make -s -C "$tree" O="$out" CC="$cc" KBUILD_BUILD_HOST=anonrmap KBUILD_BUILD_USER=build)
run "configuration" "${kmake[@]}" KCONFIG_ALLCONFIG="$out/.fragments" \
	KCONFIG_CONFIG="$out/.config.new" allnoconfig
"$top/linux/scripts/check-config.py" "$tree" "$out/.config.new" "${fragments[@]}" \
	--if-known "$options" || exit 1
cmp -s "$out/.config.new" "$out/.config" || mv "$out/.config.new" "$out/.config"
rm -f "$out/.config.new"

echo "build: kernel, $flavour, in ${out#"$top"/} (the first time takes minutes)" >&2
start=$SECONDS
run "build" "${kmake[@]}" -j"${JOBS:-$(nproc)}" vmlinux
grep -E '(warning|WARNING):' "$log" >&2 || true
[ -z "$source" ] || echo "$key" >"$out/.built"
echo "build: kernel, $flavour: $((SECONDS - start)) s" >&2
