#!/bin/sh
# SPDX-License-Identifier: MIT
# At the end of a VM that lab/run --coverage started: the driver's counts go to the host as an
# archive. The kernel makes these files up when they are read, so their sizes are not known before.
set -e
gcov=/sys/kernel/debug/gcov
# a module that was unloaded leaves its counts behind, if the kernel finds memory for them
if dmesg | grep 'gcov: '; then
	exit 1
fi
copy=/tmp/coverage
mkdir -p "$copy"
cd "$gcov"
find . -name '*.gcda' | while read -r file; do
	mkdir -p "$copy/${file%/*}"
	cat "$file" >"$copy/$file"
done
tar -C "$copy" -cf /dev/lab-coverage .
