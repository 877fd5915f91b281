#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# setup.sh [LIST...]: install the Debian packages of the lists (default:
# scripts/packages.txt) that are missing. Does nothing, and needs no rights, when all
# are there.
set -u
here=$(dirname "$0")
[ $# -gt 0 ] || set -- "$here/packages.txt"

missing=
for pkg in $(sed 's/#.*//' "$@"); do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null) || status=
	[ "$status" = installed ] || missing="$missing $pkg"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup: this machine has no apt-get; install the equivalents of:$missing" >&2
	exit 3
fi
if [ "$(id -u)" -eq 0 ]; then
	sudo=
elif command -v sudo >/dev/null; then
	sudo=sudo
else
	echo "setup: missing packages:$missing" >&2
	echo "setup: not root, and there is no sudo; as root run: apt-get install$missing" >&2
	exit 3
fi

echo "setup: installing missing packages:$missing" >&2
log=$(mktemp) || exit 3
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
kernel_source() { # the one package that apt may not know: see there
	case $missing in
	*linux-source-*) "$here/add-kernel-source.sh" linux-source-6.12 ;;
	esac
}
if ! { $sudo apt-get update && kernel_source 2>&3 && $sudo env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y --no-install-recommends $missing; } 3>&2 >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: apt-get could not install:$missing" >&2
	exit 3
fi
