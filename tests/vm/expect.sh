# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# For the scripts of tests in the VM: exit status and text of one command after the other.
n=0
failed=0
out=/tmp/out

# expect STATUS TEXT COMMAND...: TEXT must be in what it prints, out or error; "" for anything
expect()
{
	status=$1 text=$2
	shift 2
	"$@" >"$out" 2>&1
	got=$?
	n=$((n + 1))
	if [ "$got" = "$status" ] && { [ -z "$text" ] || grep -qF -- "$text" "$out"; }; then
		echo "ok $n - $*"
	else
		failed=1
		echo "not ok $n - $*"
		echo "# status $got, expected $status; text expected: $text"
		sed 's/^/# /' "$out"
	fi
}

finish()
{
	echo "1..$n"
	exit $failed
}
