# SPDX-License-Identifier: MIT
# Whether modules, root file system and firmware are those of this checkout as it is now, asked in one step:
# lab/run asks each time, and a program that is started costs it more than all else.
# shellcheck shell=bash
#
# $TREE/FLAVOUR.ready has, each ended by a NUL: what it was made for, the kernel's folder, and the files and
# folders that it was made of. A change of a file's content or of its metadata, and one more or one less in a
# folder, has a time (ctime) that nobody can set; the list's own is that of the moment before it was made.

# ready_for: sets what the list depends on besides files
ready_for()
{
	made_for="${TPHCTL:-$VFIO_TPH_BUILD/tools/tphctl} ${CC:-gcc} $PATH"
}

# ready FLAVOUR: whether nothing changed since; sets build
ready()
{
	local list=$TREE/$1.ready made_for fields
	[[ -f $list ]] || return 1
	mapfile -d '' -t fields <"$list"
	ready_for
	[[ ${fields[0]:-} == "$made_for" && ${#fields[@]} -gt 2 ]] || return 1
	build=${fields[1]}
	# what is gone has a message, which is more than nothing
	[[ -z $(find -L "${fields[@]:2}" -maxdepth 0 -cnewer "$list" -print -quit 2>&1) ]]
}

# ready_inputs FLAVOUR: all that the kernel's key, lab/modules, lab/initramfs and lab/acpi look at, and what
# they made
ready_inputs()
{
	local tool=${TPHCTL:-$VFIO_TPH_BUILD/tools/tphctl} busybox folder
	busybox=$(command -v busybox)
	folder=$TREE/${build##*/}
	printf '%s\0' "$LAB"/{init.c,initramfs,modules,acpi,stage,{common,debian,archive,ready}.sh} \
		"$LAB"/kernel-*.config "$LAB" "$TOP/emu/endpoint_regs.h" "$(command -v "${CC:-gcc}")" \
		"$busybox" "$CACHE/kernel" "$build" "$build/.complete" \
		"$folder"/{base,tree}.cpio "$folder"/{modules,initramfs,base}.complete
	[[ ! -e $CACHE/kernel/$1 ]] || printf '%s\0' "$CACHE/kernel/$1"
	[[ ! -d $CACHE/linux ]] || printf '%s\0' "$CACHE/linux"
	# a tphctl that is not there may come
	while [[ ! -e $tool ]]; do
		tool=${tool%/*}
	done
	printf '%s\0' "$tool"
	[[ ! -f $tool ]] || elf_libraries "$tool" | tr '\n' '\0'
	find -L "$LAB"/{platform,importer,firmware} "$TOP/driver" "$TOP"/include/{uapi,linux} "$TREE/firmware" -print0
	find -L "$build" -name '*.ko' -print0
}

# ready_begin FLAVOUR, ready_end FLAVOUR: around bringing all of it up to date
ready_begin()
{
	mkdir -p "$TREE"
	: >"$TREE/$1.ready.$$"
}

ready_end()
{
	local list=$TREE/$1.ready made_for
	ready_for
	{ printf '%s\0' "$made_for" "$build"; ready_inputs "$1"; } >"$list.part.$$"
	touch -r "$list.$$" "$list.part.$$"
	rm "$list.$$"
	mv "$list.part.$$" "$list"
}
