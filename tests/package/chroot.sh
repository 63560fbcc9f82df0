# SPDX-License-Identifier: MIT
# A Debian of a release as it comes, with a kernel of that release and one of its backports, in a folder
# of the cache; and what is done in a copy of it. After lab/common.sh and lab/archive.sh; as root.
# shellcheck shell=bash
# shellcheck disable=SC2034 # the sourcing file uses the variables

CHROOT_RELEASES=(bookworm trixie)

# chroot_in ROOT COMMAND...: with that file system alone. No variable of the caller's is seen there.
# No initramfs is made for kernels that nobody boots.
chroot_in()
{
	local root=$1
	shift
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 INITRD=No \
		DEBIAN_FRONTEND=noninteractive chroot "$root" "$@" </dev/null
}

# chroot_mount ROOT ARCHIVES: what a system has besides its files, and apt's downloads, which are kept.
# The mounts end with the mount namespace of the caller.
chroot_mount()
{
	local root=$1 archives=$2
	mount -t proc proc "$root/proc"
	mount -t sysfs -o ro sysfs "$root/sys"
	mkdir -p "$root/dev/pts" "$archives/partial"
	mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
	mount --bind "$archives" "$root/var/cache/apt/archives"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
}

# chroot_sources RELEASE: what its sources.list says
chroot_sources()
{
	local release=$1 address
	address=$(archive_address)
	printf "deb [signed-by=$ARCHIVE_KEYRING] $address %s main\n" "$release" "$release-backports"
}

# chroot_kernels ROOT: a kernel of the release, two of them with that of backports; the headers of the
# first are installed, those of the second wait among the downloads. "linux" has both names.
chroot_kernels()
{
	local root=$1 release=$2 first second install
	install=(apt-get -q -y --no-install-recommends)
	chroot_in "$root" "${install[@]}" install linux-image-amd64 linux-headers-amd64
	first=$(ls "$root/lib/modules")
	chroot_in "$root" apt-mark manual "linux-image-$first" "linux-headers-$first"
	chroot_in "$root" "${install[@]}" install -t "$release-backports" linux-image-amd64
	second=$(cd "$root/lib/modules" && ls -I "$first")
	# with the image came the headers of its version
	chroot_in "$root" apt-get -q -y purge linux-headers-amd64 "linux-headers-$second"
	chroot_in "$root" apt-mark manual "linux-image-$second"
	chroot_in "$root" apt-get -q -y --purge autoremove
	chroot_in "$root" "${install[@]}" install -t "$release-backports" --download-only "linux-headers-$second"
	echo "$first $second" >"$root.kernels"
}

# chroot_build RELEASE FOLDER: what chroot_base keeps, in a mount namespace of its own
chroot_build()
{
	local release=$1 folder=$2 address include=() settings=()
	address=$(archive_address)
	[[ $address != https:* ]] || include=(--include=ca-certificates)
	# how this machine reaches the archive, and what it thinks of the dates there
	mapfile -t settings < <(apt-config dump |
		grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)' | sed 's/^/--aptopt=/')
	chroot_sources "$release" | mmdebstrap --variant=minbase --mode=root "${include[@]}" "${settings[@]}" \
		--dpkgopt=force-unsafe-io --skip=cleanup/apt/lists "$release" "$folder/base.part" -
	chroot_mount "$folder/base.part" "$folder/archives"
	chroot_kernels "$folder/base.part" "$release"
}

# chroot_base RELEASE [REFRESH]: sets base, a folder that is not to be changed, archives, where apt's
# downloads are, and kernels. The package lists are those of the day on which it was made, and what
# apt has downloaded since stays: another run needs no network.
chroot_base()
{
	local release=$1 refresh=${2:-} folder=$CACHE/chroot/$1
	base=$folder/base
	archives=$folder/archives
	if [[ -n $refresh || ! -f $folder/base.kernels ]]; then
		need mmdebstrap unshare apt-config
		rm -rf "$folder"
		mkdir -p "$folder"
		logged "$CACHE/log/chroot-$release.log" "Debian $release in $base" '' \
			unshare --mount --pid --fork --kill-child bash -euo pipefail -c \
			". '$LAB/common.sh'; . '$LAB/archive.sh'; . '$TOP/tests/package/chroot.sh'
			COMMAND='$COMMAND'; chroot_build '$release' '$folder'"
		mv "$folder/base.part" "$base"
		mv "$folder/base.part.kernels" "$folder/base.kernels"
	fi
	read -ra kernels <"$folder/base.kernels"
}
