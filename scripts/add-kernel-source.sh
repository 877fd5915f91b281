#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# add-kernel-source.sh PACKAGE: make PACKAGE (linux-source-6.12) known to apt. Debian 12 has
# it in its security archive and in backports, which a fresh machine may not list: adds both,
# from the mirror that this machine uses already. Needs root (or sudo).
set -eu
pkg=$1
list=/etc/apt/sources.list.d/anonrmap-kernel-source.list

known() {
	apt-cache policy "$pkg" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

known && exit 0
# shellcheck source=/dev/null
. /etc/os-release
if [ "${VERSION_CODENAME-}" != bookworm ]; then
	echo "setup: this system has no package $pkg, and is not Debian 12 (bookworm);" \
		"LINUX_TARBALL=FILE names a source tarball of Linux 6.12" >&2
	exit 3
fi
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
	sed -n 's,/* bookworm$,,p' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}
case $mirror in
*/debian) security=$mirror-security ;;
*) security=http://deb.debian.org/debian-security ;;
esac
key=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -f $key ] || signed="[signed-by=$key] "

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "setup: apt does not know $pkg: adding bookworm-security and bookworm-backports as" \
	"$list" >&2
printf 'deb %s%s bookworm-security main\ndeb %s%s bookworm-backports main\n' \
	"$signed" "$security" "$signed" "$mirror" | $sudo tee "$list" >/dev/null
$sudo apt-get update -q
if ! known; then
	$sudo rm -f "$list"
	echo "setup: $pkg is not there either; $list removed again" >&2
	exit 3
fi
