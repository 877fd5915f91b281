#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The mailable series. kernel-series.sh --help
exec python3 -B "$(dirname "$0")/kernel-series.py" "$@"
