#!/bin/sh
# SPDX-License-Identifier: MIT
# An example of /etc/libvirt/hooks/qemu: starts tphctl follow for the PCI devices that a guest has been
# given, once it runs. libvirt calls it with the guest's name and what happens, and its XML on standard
# input. Nothing is to be done when the guest ends: tphctl follow ends with it.
set -u
[ "$2 $3" = 'started begin' ] || exit 0

# the addresses of <hostdev type='pci'>: domain, bus, slot and function of its <source>
sed -n "/<hostdev[^>]*type='pci'/,/<\/hostdev>/{
	/<source>/,/<\/source>/s/.*domain='0x\([0-9a-f]*\)' bus='0x\([0-9a-f]*\)' slot='0x\([0-9a-f]*\)' function='0x\([0-9a-f]*\)'.*/\1:\2:\3.\4/p
}" | while read -r device; do
	# of a device without steering it fails, and the journal says why
	[ -d "/sys/bus/pci/devices/$device/tph" ] || continue
	systemctl start --no-block "tphctl-follow@$device.service"
done
