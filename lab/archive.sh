# SPDX-License-Identifier: MIT
# Packages of a newer Debian than the host's, taken as files: a private apt configuration in the
# cache, which neither needs root nor changes the host, and plain unpacking of what it downloads.
# shellcheck shell=bash

ARCHIVE_RELEASE=trixie
ARCHIVE_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
ARCHIVE=$CACHE/apt

# archive_address: the mirror that the host itself uses for Debian, in whatever format it says so.
archive_address()
{
	local address
	# shellcheck disable=SC2016 # the $() are apt's
	address=$(apt-get indextargets --no-release-info \
		--format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
		awk -v releases='bookworm|trixie|forky|sid|(old)?stable|testing|unstable' '
			$3 == "main" && $1 !~ /security/ && !found &&
			$2 ~ "^(" releases ")(-updates|-backports)?$" { print $1; found = 1 }')
	[[ -n $address ]] ||
		die "the host's apt sources name no Debian archive (Debian 12 or later, main)" \
			"Add one to /etc/apt/sources.list: its address is used for newer packages."
	printf '%s\n' "$address"
}

# archive_apt PROGRAM ARGS...: apt-get or apt-cache that sees the archive and not the host.
archive_apt()
{
	local program=$1
	shift
	"$program" -o Dir::Etc::sourcelist="$ARCHIVE/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$ARCHIVE/state" -o Dir::State::status="$ARCHIVE/state/status" \
		-o Dir::State::lists="$ARCHIVE/lists" -o Dir::Cache="$ARCHIVE/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User= \
		-o APT::Default-Release="$ARCHIVE_RELEASE-backports" \
		-o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}

# archive_watched LABEL ARGS...: apt-get with progress; apt's own words on failure.
archive_watched()
{
	local label=$1
	shift
	if ! archive_apt apt-get -q -y -o APT::Status-Fd=3 "$@" 3>&1 >"$ARCHIVE/apt.log" 2>&1 |
		sed -u -n 's/^dlstatus:[^:]*:\([0-9]*\)[^:]*:/\1% /p' | progress "$label"; then
		tail -n 15 "$ARCHIVE/apt.log" >&2
		die "$label failed; the archive is $(sed 's/.*\] //; q' "$ARCHIVE/sources.list")" \
			"Check that this machine reaches it, then run the same command again."
	fi
}

# archive_open: makes the configuration and brings the package lists up to date, once a run.
archive_open()
{
	[[ -z ${archive_is_open:-} ]] || return 0
	local address
	need apt-get apt-cache dpkg-deb
	locked archive
	[[ -f $ARCHIVE_KEYRING ]] ||
		die "the archive's keyring $ARCHIVE_KEYRING is missing" \
			"Install debian-archive-keyring."
	address=$(archive_address)
	mkdir -p "$ARCHIVE"/{state,lists/partial,cache/archives/partial}
	# No package is installed as far as apt can see; its lock lies beside this file.
	: >"$ARCHIVE/state/status"
	printf "deb [signed-by=$ARCHIVE_KEYRING] %s %s main\n" "$address" "$ARCHIVE_RELEASE" \
		"$address" "$ARCHIVE_RELEASE-backports" >"$ARCHIVE/sources.list"
	archive_watched "package lists of $ARCHIVE_RELEASE-backports" \
		-o APT::Update::Error-Mode=any update
	archive_is_open=yes
}

# archive_newest PATTERN: the package whose name matches and sorts last by version, or nothing.
archive_newest()
{
	archive_apt apt-cache search --names-only "$1" | cut -d' ' -f1 | sort -V | tail -n 1
}

# archive_version PACKAGE: its newest version on offer.
archive_version()
{
	archive_apt apt-cache policy "$1" | awk '$1 == "Candidate:" { print $2 }'
}

# archive_unpack LABEL FOLDER PACKAGE...: these packages alone; the folder comes to be whole or not
# at all. archive_unpack --with-dependencies ...: and what they depend on.
archive_unpack()
{
	local mode=alone label folder part package
	if [[ $1 == --with-dependencies ]]; then
		mode=all
		shift
	fi
	label=$1 folder=$2
	shift 2
	rm -f "$ARCHIVE"/cache/archives/*.deb
	if [[ $mode == all ]]; then
		archive_watched "download of $label" --download-only install "$@"
	else
		(cd "$ARCHIVE/cache/archives" && archive_watched "download of $label" download "$@")
	fi
	part=$folder.part
	rm -rf "$part" "$folder"
	mkdir -p "$part"
	# The links of a merged /usr: an installed system has them from elsewhere.
	mkdir -p "$part"/usr/{bin,sbin,lib,lib64}
	ln -s usr/bin usr/sbin usr/lib usr/lib64 "$part"
	for package in "$ARCHIVE"/cache/archives/*.deb; do
		dpkg-deb -x "$package" "$part" ||
			die "$package cannot be unpacked into $part" "Is the disk full?"
		basename "$package"
	done | progress "unpacking $label"
	rm -f "$ARCHIVE"/cache/archives/*.deb
	mv "$part" "$folder"
}

# archive_wrapper TREE PROGRAM WRAPPER [ARGS...]: a script that runs a program of an unpacked tree
# with that tree's own loader and libraries, so that the host's C library may be older.
archive_wrapper()
{
	local tree=$1 program=$2 wrapper=$3
	shift 3
	[[ -x $program ]] ||
		die "$program is missing" "Remove $tree and run the same command again."
	{
		echo '#!/bin/sh'
		echo "# Made by vfio-tph's $COMMAND."
		echo "QEMU_MODULE_DIR='$tree/usr/lib/x86_64-linux-gnu/qemu'"
		echo 'export QEMU_MODULE_DIR'
		printf "exec '%s' --argv0 \"\$0\" --library-path '%s' '%s' %s \"\$@\"\n" \
			"$tree/usr/lib64/ld-linux-x86-64.so.2" \
			"$tree/usr/lib/x86_64-linux-gnu:$tree/usr/lib" "$program" "$*"
	} >"$wrapper.part"
	chmod +x "$wrapper.part"
	mv "$wrapper.part" "$wrapper"
}

# archive_closure FOLDER FILE...: the libraries that the files need, and those that these need, by name
archive_closure()
{
	local folder=$1 file library
	local -A seen=()
	shift
	local todo=("$@")
	while ((${#todo[@]})); do
		file=${todo[0]}
		todo=("${todo[@]:1}")
		while read -r library; do
			[[ -z ${seen[$library]:-} ]] || continue
			seen[$library]=yes
			[[ -e $folder/$library ]] || die "$file needs $library, which no package brought"
			todo+=("$folder/$library")
		done < <(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	done
	((${#seen[@]} == 0)) || printf '%s\n' "${!seen[@]}"
}
