# SPDX-License-Identifier: MIT
# What Debian packages of its own kernels: headers with the compiler for them, and the binary kernel with
# its modules. After common.sh and archive.sh.
# shellcheck shell=bash

DEBIAN_RELEASES=("${DEBIAN_FLAVOURS[@]#debian-}")

# debian_release X.Y: which archive it is of, and what its modules are built with: the compiler that the
# kernel was built with, which its own release has. Debian 12 has an archive of its own here: apt would
# take the newest of both otherwise.
debian_release()
{
	release=$1
	compiler=gcc-14
	libraries=(libelf1t64 libssl3t64)
	if [[ $release == 6.1 ]]; then
		ARCHIVE_RELEASE=bookworm
		ARCHIVE=$CACHE/apt-bookworm
		compiler=gcc-12
		libraries=(libelf1 libssl3)
	fi
}

# wrap TOOLS PROGRAM: puts a wrapper in the place of a program.
wrap()
{
	mv "$2" "$2.elf"
	archive_wrapper "$1" "$2.elf" "$2"
}

# elf_programs FOLDER...: the programs below them
elf_programs()
{
	local program
	find "$@" -type f -perm -u+x ! -name '*.so*' | while read -r program; do
		[[ $(head -c 4 "$program" | tr -d '\0') != $'\x7fELF' ]] || printf '%s\n' "$program"
	done
}

# merge_usr TREE: Debian 12's packages still have files in /lib, which later ones have in /usr/lib.
merge_usr()
{
	local name
	for name in bin lib lib64 sbin; do
		[[ ! -L $1/$name ]] || continue
		cp -al "$1/$name/." "$1/usr/$name/"
		rm -r "${1:?}/$name"
		ln -s "usr/$name" "$1/$name"
	done
	# absolute in the package
	ln -sfn ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$1/usr/lib64/ld-linux-x86-64.so.2"
}

# The compiler, and what Kbuild runs besides. The programs need a C library as new as their
# release's, so each runs by a wrapper.
fetch_tools()
{
	local version folder program
	version=$(archive_version "$compiler")
	folder=$CACHE/headers/tools-${version//[^A-Za-z0-9.]/-}
	if [[ ! -f $folder/.complete ]]; then
		archive_unpack --with-dependencies "$compiler $version and pahole" "$folder" \
			"$compiler" pahole "${libraries[@]}"
		merge_usr "$folder"
		# gcc finds cc1 and the like beside itself, binutils on the PATH.
		for program in $(elf_programs "$folder"/usr/lib*/gcc); do
			wrap "$folder" "$program"
		done
		mkdir "$folder/path"
		for program in "$compiler" as ld.bfd ar nm objcopy objdump readelf strip; do
			wrap "$folder" "$folder/usr/bin/x86_64-linux-gnu-$program"
			ln -s "../usr/bin/x86_64-linux-gnu-$program" "$folder/path/"
			ln -s "../usr/bin/x86_64-linux-gnu-$program" "$folder/path/$program"
		done
		ln -s x86_64-linux-gnu-ld.bfd "$folder/path/x86_64-linux-gnu-ld"
		ln -s ld.bfd "$folder/path/ld"
		wrap "$folder" "$folder/usr/bin/pahole"
		ln -s ../usr/bin/pahole "$folder/path/"
		touch "$folder/.complete"
	fi
	ln -sfn "${folder##*/}" "$CACHE/headers/tools-$ARCHIVE_RELEASE"
}

# needed PACKAGE PATTERN: the package that it depends on by that name
needed()
{
	archive_apt apt-cache depends "$1" | awk -v pattern="$2" \
		'$1 == "Depends:" && $2 ~ pattern { print $2; exit }'
}

fetch_headers()
{
	local package version folder tools program kbuild
	package=$(archive_newest \
		"^linux-headers-${release/./\\.}\\.[0-9]+(-[0-9]+|\\+deb[0-9]+)-amd64\$")
	[[ -n $package ]] ||
		die "Debian's $ARCHIVE_RELEASE offers no linux-headers-$release.*-amd64 package" \
			"Take another --release. The archive asked is in $ARCHIVE/sources.list"
	version=${package#linux-headers-}
	version=${version%-amd64}
	folder=$CACHE/headers/linux-$version
	tools=$(readlink -f "$CACHE/headers/tools-$ARCHIVE_RELEASE")
	if [[ $(cat "$folder/.complete" 2>/dev/null) != "$tools" ]]; then
		kbuild=$(needed "$package" '^linux-kbuild-')
		archive_unpack "$package" "$folder" "$package" \
			"$(needed "$package" '^linux-headers-.*-common$')" "$kbuild"
		for program in $(elf_programs "$folder/usr/lib/$kbuild"); do
			wrap "$tools" "$program"
		done
		# The package's paths begin at the root of the system it is installed on.
		sed -i "s#/usr/src/#$folder/usr/src/#g" "$folder/usr/src/$package/Makefile"
		printf '%s\n' "$tools" >"$folder/.complete"
	fi
	ln -sfn "${folder##*/}" "$CACHE/headers/current-$release"
}

# debian_headers [REFRESH]: after debian_release; sets version, "7.3.4+deb13", headers, the folder to
# build modules in, and PATH. If one of them is in the cache, that one, else the newest on offer.
debian_headers()
{
	local folder
	need make awk
	[[ -n ${headers_locked:-} ]] || locked headers
	headers_locked=yes
	if [[ -n ${1:-} || ! -e $CACHE/headers/current-$release ||
		! -e $CACHE/headers/tools-$ARCHIVE_RELEASE ]]; then
		archive_open
		fetch_tools
		fetch_headers
	fi
	folder=$(readlink -f "$CACHE/headers/current-$release")
	version=${folder##*/linux-}
	headers=$folder/usr/src/linux-headers-$version-amd64
	PATH=$(readlink -f "$CACHE/headers/tools-$ARCHIVE_RELEASE")/path:$PATH
}

# debian_left_out FOLDER: why this kernel has nothing to build there, or nothing
debian_left_out()
{
	[[ $1 == "$LAB/importer" ]] &&
		! grep -qx CONFIG_VFIO_PCI_DMABUF=y "$headers/.config" || return 0
	echo "this kernel exports no dma-buf of a VFIO device (CONFIG_VFIO_PCI_DMABUF)"
}

# debian_make SOURCE OUTPUT [ARGUMENT...]: builds the module in a folder of its own
debian_make()
{
	local source=$1 output=$2
	shift 2
	"$LAB/stage" "$source" "$output"
	make -C "$headers" M="$output" W=1 -j"$(nproc)" "$@" modules
}

# What of the kernel's modules the lab takes, besides what they depend on: not every kernel has all, and
# some have it built in.
DEBIAN_MODULES=(vfio vfio_iommu_type1 vfio-pci virtio_pci virtio_console e1000 e1000e igb pci-stub shpchp
	udmabuf vhost_net)

# take_modules TREE: these modules of an unpacked kernel into the folder "modules"
take_modules()
{
	local tree=$1 todo=("${DEBIAN_MODULES[@]}") name file needed
	local -A seen=()
	mkdir -p modules
	while ((${#todo[@]})); do
		name=${todo[0]//-/_}
		todo=("${todo[@]:1}")
		[[ -z ${seen[$name]:-} ]] || continue
		seen[$name]=yes
		file=$(find "$tree/kernel" -name "${name//_/[-_]}.ko*" -print -quit)
		[[ -n $file ]] || continue
		name=modules/$(basename "${file%.ko*}").ko
		case $file in
		*.ko) cp "$file" "$name" ;;
		*.ko.xz) xz -dc "$file" >"$name" ;;
		*.ko.zst) zstd -qdc "$file" >"$name" ;;
		*) die "${file##*/}: there is no way to unpack it" ;;
		esac
		IFS=, read -r -a needed < <(modinfo -F depends "$name") || true
		todo+=("${needed[@]}")
	done
}

# fetch_kernel VERSION FOLDER: the image and what is taken of its modules, not what comes with them
fetch_kernel()
{
	local version=$1 folder=$2 image=linux-image-$1-amd64 part=$2.part tree
	local packages=("$image")
	need xz modinfo
	mapfile -t -O 1 packages < <(archive_apt apt-cache depends "$image" |
		awk -v version="$version-amd64" '
			$2 ~ /^linux-(base|binary|modules)-/ && index($2, version) { print $2 }')
	archive_unpack "$image" "$folder.deb" "${packages[@]}"
	merge_usr "$folder.deb"
	rm -rf "$part"
	mkdir -p "$part"/{include/config,arch/x86/boot}
	tree=$folder.deb/usr/lib/modules/$version-amd64
	(
		cd "$part"
		take_modules "$tree"
		# newer packages have all in one folder
		cp "$tree"/modules.{order,builtin,builtin.modinfo} .
		cp "$(first "$tree/vmlinuz" "$folder.deb/boot/vmlinuz-$version-amd64")" \
			arch/x86/boot/bzImage
		cp "$(first "$tree/config" "$folder.deb/boot/config-$version-amd64")" .config
		printf '%s\n' "$version-amd64" >include/config/kernel.release
		touch .complete
	)
	rm -rf "$folder" "$folder.deb"
	mv "$part" "$folder"
}

# first FILE...: the first of them that exists
first()
{
	local file
	for file; do
		[[ ! -e $file ]] || { printf '%s\n' "$file"; return 0; }
	done
	die "none of these exists: $*"
}

# debian_kernel_fetch [REFRESH]: after debian_release. Headers and kernel are of one version: where the
# archive no longer has that of the headers in the cache, both are fetched anew.
debian_kernel_fetch()
{
	local folder
	debian_headers "${1:-}"
	folder=$CACHE/kernel/debian-$release-$version
	if [[ ! -f $folder/.complete ]]; then
		archive_open
		if [[ -z $(archive_version "linux-image-$version-amd64") ]]; then
			debian_headers refresh
			folder=$CACHE/kernel/debian-$release-$version
			[[ -n $(archive_version "linux-image-$version-amd64") ]] ||
				die "the archive has no Linux $version, only headers for it" \
					"The archive asked is in $ARCHIVE/sources.list"
		fi
		[[ -f $folder/.complete ]] || fetch_kernel "$version" "$folder"
	fi
	ln -sfn "${folder##*/}" "$CACHE/kernel/debian-$release"
}
