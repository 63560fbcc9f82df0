# SPDX-License-Identifier: MIT
# Saved VMs: QEMU restores one that had booted, without endpoints, in less time than it takes to boot.
# shellcheck shell=bash disable=SC2034,SC2154 # lab/run shares its variables
#
# A saved VM is $CACHE/snapshot/KEY: its memory, the rest of it (vm), and the kernel's log until then. KEY is
# a hash of all that went in, so that none is ever stale. The VM that is restored has a copy of the memory.

SNAPSHOTS=$CACHE/snapshot
SNAPSHOTS_MAX=16
SNAPSHOT_PATIENCE=600 # seconds for a kernel to boot

# What saving and restoring have in common. store-global-state=off: the VM is stopped while it is saved, and
# is to run when it was restored.
SNAPSHOT_QEMU=(-global migration.x-ignore-shared=on -global migration.store-global-state=off)

snapshot_part='' SNAPSHOT_COPY=''

# snapshot_key: of what lab/run is about to start: the machine, its kernel, root file system, firmware, QEMU;
# sets key. The folder of a kernel is named by all that it is made of.
snapshot_key()
{
	local magic wrapper=
	read -r -N 2 magic <"$qemu" 2>/dev/null || true
	read -r key _ < <({
		printf '%s\n' "${machine[@]}" "${QEMU_PLACEHOLDERS[@]}" "$build"
		# a wrapper of lab/qemu's tells which one it is of
		if [[ $magic == '#!' ]]; then
			wrapper=$qemu
		else
			stat -L -c '%n %s %Z %i' "$qemu"
		fi
		cat "$LAB/snapshot.sh" "$initramfs/base.complete" ${wrapper:+"$wrapper"} ${table:+"$table"}
	} | sha256sum)
	key=${key:0:16}
}

# snapshot_open: sets SNAPSHOT_FD and SNAPSHOT_RAM, from which the VM can be restored, and SNAPSHOT_LOG, what its kernel said
# before. Makes it, if there is none.
snapshot_open()
{
	local folder
	snapshot_key
	folder=$SNAPSHOTS/$key
	if ! snapshot_take "$folder"; then
		locked snapshot
		snapshot_take "$folder" || snapshot_make "$folder"
		# others may make theirs while this VM runs
		exec {LOCK}>&-
	fi
}

# snapshot_take FOLDER: whether there is one. What is open stays whole, even if it is removed.
snapshot_take()
{
	exec {SNAPSHOT_FD}<"$1/vm" || return 1
	exec {SNAPSHOT_RAM}<"$1/memory" || return 1
	exec {SNAPSHOT_LOG}<"$1/console.log" || return 1
	echo >"$1/used"
} 2>/dev/null

# snapshot_memory: sets SNAPSHOT_MEMORY, a copy of the saved memory for one VM, without a name already. In
# memory if there is room for all of it: what a disk has is written back sooner or later. SNAPSHOT_COPY copies.
snapshot_memory()
{
	local file=$scratch/memory room=0 block=0
	read -r room block < <(stat -f -c '%a %S' /dev/shm 2>/dev/null) || true
	((room * block <= memory << 20)) || file=/dev/shm/vfio-tph.$$.$RANDOM
	exec {SNAPSHOT_MEMORY}<>"$file"
	rm "$file"
	cp --sparse=always "/proc/self/fd/$SNAPSHOT_RAM" "/proc/self/fd/$SNAPSHOT_MEMORY" &
	SNAPSHOT_COPY=$!
}

# snapshot_await FD WORD...: reads lines until one has one of the words; sets line, to "gone" if QEMU is
snapshot_await()
{
	local fd=$1 word end=$((SECONDS + SNAPSHOT_PATIENCE)) status
	shift
	while ((SECONDS < end)); do
		status=0
		read -r -t 1 -u "$fd" line || status=$?
		if ((status == 0)); then
			for word; do
				[[ $line != *"$word"* ]] || return 0
			done
		elif ! kill -0 "$qemu_pid" 2>/dev/null; then
			line='QEMU is gone'
			return 0
		fi
	done
	line='nothing in time'
}

# snapshot_make FOLDER: boots it, and saves it when it says that it is ready
snapshot_make()
{
	local folder=$1 part=$1.part command line='' told said status
	# with the lock held, these are of makers that were killed
	rm -rf "$SNAPSHOTS"/*.part
	mkdir -p "$part"
	snapshot_part=$part
	mkfifo "$part"/{status,told,said}
	exec {status}<>"$part/status" {told}<>"$part/told" {said}<>"$part/said"
	# shellcheck disable=SC2054 # the commas are QEMU's
	command=("$qemu" "${machine[@]}" "${QEMU_PLACEHOLDERS[@]}" "${SNAPSHOT_QEMU[@]}"
		-kernel "$kernel" -initrd "$initramfs/base.cpio" ${table:+-acpitable "file=$table"}
		-object "memory-backend-file,id=memory,size=${memory}M,share=on,mem-path=$part/memory"
		-fw_cfg name=opt/vfio-tph/stage,string=none
		-chardev "file,id=console,path=$part/console.log" -chardev null,id=program
		-chardev "file,id=status,path=$part/status"
		-chardev "file,id=control,path=$part/said,input-path=$part/told" -qmp chardev:control)
	say "saving a VM that has booted, for this run and others"
	# a child of this shell itself, or it would not die with it
	setpriv --pdeathsig KILL "${command[@]}" </dev/null >"$part/qemu.log" 2>&1 &
	qemu_pid=$!
	snapshot_await "$status" ready error
	if [[ $line == *ready* ]]; then
		printf '%s\n' '{"execute": "qmp_capabilities"}' '{"execute": "stop"}' \
			'{"execute": "migrate-set-capabilities", "arguments": {"capabilities":
			  [{"capability": "events", "state": true}]}}' \
			'{"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": 0}}' \
			'{"execute": "migrate", "arguments": {"uri": "file:'"$part"'/vm"}}' >&"$told"
		snapshot_await "$said" '"completed"' '"failed"' '"error"'
	fi
	if [[ $line == *'"completed"'* ]]; then
		echo '{"execute": "quit"}' >&"$told"
	else
		kill "$qemu_pid" 2>/dev/null || true
	fi
	wait "$qemu_pid" || true
	qemu_pid=
	exec {status}>&- {told}>&- {said}>&-
	if [[ $line != *'"completed"'* ]]; then
		tail -n 20 "$part"/{qemu,console}.log >&2 || true
		fail "no VM was saved: ${line%$'\r'}" "Use lab/run --boot, which needs none."
	fi
	rm "$part"/{status,told,said}
	mv "$part" "$folder"
	snapshot_part=
	snapshot_take "$folder" || fail "$folder is gone again" "Is something clearing the cache?"
	snapshots_prune
}

# The machine's shape is in the key, and every change of the kernel's makes new ones.
snapshots_prune()
{
	local folder
	find "$SNAPSHOTS" -mindepth 2 -maxdepth 2 -name used -printf '%T@ %h\n' | sort -rn |
		tail -n +$((SNAPSHOTS_MAX + 1)) | cut -d' ' -f2- | while read -r folder; do
		rm -rf "$folder"
	done
}
