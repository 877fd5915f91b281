#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A parallel compile: a small tree of C files, made here, built by make -j4 with gcc.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

for i in 1 2 3 4 5 6 7 8; do
	{
		echo '#include <stdio.h>'
		echo '#include <stdlib.h>'
		for j in 1 2 3 4 5 6 7 8 9 10; do
			echo "int f${i}_$j(int n) { int s = 0; for (int k = 0; k < n; k++)"
			echo "	s += abs(k ^ $j) % ($i + 1); printf(\"%d\", s); return s; }"
		done
	} >"part$i.c"
done
{
	echo 'int main(void) { return 0; }'
} >main.c
{
	echo 'OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))'
	echo 'program: $(OBJECTS)'
	printf '\tgcc -o $@ $^\n'
	echo '%.o: %.c'
	printf '\tgcc -O2 -pipe -c -o $@ $<\n'
} >Makefile
make -s -j4
./program
