# SPDX-License-Identifier: MIT
# What the lab's commands share: where things are, how to fail, how to show progress.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the sourcing file uses the variables

set -euo pipefail

LAB=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)
TOP=${LAB%/*}
CACHE=${XDG_CACHE_HOME:-${HOME:-}/.cache}/vfio-tph
CACHE=${VFIO_TPH_CACHE:-$CACHE}
COMMAND=lab/${0##*/}

# sbin is not in a plain user's PATH on Debian, and depmod lives there.
PATH=$PATH:/usr/sbin:/sbin

say()
{
	printf '%s: %s\n' "$COMMAND" "$*" >&2
}

# die REASON [WAY-OUT...]: the way out goes on a line of its own.
die()
{
	say "error: $1"
	shift
	for line; do
		printf '  %s\n' "$line" >&2
	done
	exit 1
}

[[ $CACHE == /*/* && $CACHE != /.cache/* ]] ||
	die "no place for the cache: '$CACHE'" "Set HOME, or VFIO_TPH_CACHE to an absolute path."

# What is built from this checkout goes here; another checkout has another one.
read -r TREE _ < <(printf %s "$TOP" | sha256sum)
TREE=$CACHE/tree/${TREE:0:12}

# Where make builds this checkout's programs: the same rule as in the Makefile.
VFIO_TPH_BUILD=${VFIO_TPH_BUILD:-$CACHE/build/${TREE##*/}/plain}

# need PROGRAM...: every program that a step runs and that a minimal system may lack.
need()
{
	local program
	for program; do
		command -v "$program" >/dev/null ||
			die "the program '$program' is missing" \
				"Run 'lab/packages lab': it installs the packages, or says which."
	done
}

# progress LABEL [TOTAL]: shows the lines of standard input as the state of a long step, counted if
# TOTAL says about how many to expect. On a terminal one live line with the time so far; elsewhere a
# line every 30 seconds, so that a log stays short.
progress()
{
	local label=$1 total=${2:-} line='' new last=0 count=0 start=$SECONDS
	local status text percent
	while true; do
		status=0
		IFS= read -r -t 1 new || status=$?
		if ((status == 0)); then
			line=$new
			count=$((count + 1))
		elif ((status <= 128)); then
			break
		fi
		if [[ -t 2 ]]; then
			# Repainting for each of 100000 lines would cost more than the step itself.
			((status != 0 || count % 25 == 0 || SECONDS - start != last)) || continue
		elif ((SECONDS - start < last + 30)); then
			continue
		fi
		last=$((SECONDS - start))
		text="$COMMAND: $label, $last s"
		if [[ -n $total ]]; then
			percent=$((count < total ? 100 * count / total : 99))
			text+=", step $count of about $total ($percent%)"
		fi
		line=${line//$'\t'/ }
		if [[ -t 2 ]]; then
			printf '\r\033[K%.100s' "$text  $line" >&2
		else
			printf '%.100s\n' "$text  $line" >&2
		fi
	done
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	say "$label: took $((SECONDS - start)) s"
}

# logged LOG LABEL TOTAL COMMAND...: runs a long command with progress; on failure shows the log's
# end.
logged()
{
	local log=$1 label=$2 total=$3
	shift 3
	mkdir -p "${log%/*}"
	if ! "$@" 2>&1 | tee "$log" | progress "$label" "$total"; then
		tail -n 25 "$log" >&2
		die "$label failed: $*" "The whole log: $log"
	fi
}

# hash_of FILE...: a short key of the names and contents of files and folders.
hash_of()
{
	find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12
}

# locked NAME: one at a time for what follows, until the script ends.
locked()
{
	mkdir -p "$CACHE" 2>/dev/null || true
	[[ -w $CACHE ]] ||
		die "the cache folder $CACHE cannot be written" \
			"Set VFIO_TPH_CACHE to a folder of yours."
	exec {LOCK}>"$CACHE/$1.lock"
	if ! flock -n "$LOCK"; then
		say "waiting for another $1 to finish"
		flock "$LOCK"
	fi
}

# kernel_source: the folder of the Linux source that the lab uses; empty if there is none yet.
kernel_source()
{
	readlink -f "$CACHE/linux/current" 2>/dev/null || true
}

DEBIAN_FLAVOURS=(debian-6.1 debian-6.12 debian-7.2 debian-7.3)

# debian_flavour FLAVOUR: whether it is a binary kernel of Debian's: debian-X.Y
debian_flavour()
{
	[[ " ${DEBIAN_FLAVOURS[*]} " == *" $1 "* ]]
}

# kernel_config FLAVOUR: its configuration fragment; a flavour other than lab adds to that of lab.
kernel_config()
{
	local flavour=$1
	[[ -f $LAB/kernel-$flavour.config ]] ||
		die "there is no kernel flavour '$flavour'" \
			"There are: $(basename -a -s .config "$LAB"/kernel-*.config | cut -d- -f2- |
				paste -sd ' ')" "and Debian's own: ${DEBIAN_FLAVOURS[*]}"
	cat "$LAB/kernel-lab.config"
	[[ $flavour == lab ]] || cat "$LAB/kernel-$flavour.config"
}

# kernel_build FLAVOUR: the folder that its build belongs in, keyed by all that it depends on. Of a kernel
# of Debian's: the one that is in the cache, in a folder that looks like that of a build.
kernel_build()
{
	local key config
	if debian_flavour "$1"; then
		readlink -m "$CACHE/kernel/$1"
		return
	fi
	config=$(kernel_config "$1") || return 1
	key=$({
		basename "$(kernel_source)"
		"${CC:-gcc}" -dumpfullversion -dumpmachine
		printf '%s\n' "$config"
	} | sha256sum | cut -c1-12)
	printf '%s\n' "$CACHE/kernel/$1-$key"
}

# elf_libraries FILE...: the shared libraries, and the loader, that programs need to start. ldd
# fails for a static program or a script, which need none.
elf_libraries()
{
	local file
	for file; do
		{ ldd "$file" 2>/dev/null || true; } |
			awk -v file="$file" '
				/=> not found/ { print file " lacks " $1 >"/dev/stderr" }
				$2 == "=>" && $3 ~ /^\// { print $3 }
				$1 ~ /^\// && $2 ~ /^\(/ { print $1 }'
	done | LC_ALL=C sort -u
}
