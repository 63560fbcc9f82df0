# SPDX-License-Identifier: GPL-2.0-only
# Writes tph_aliases.h: the devices that TPH_ALIASES in the environment names, VENDOR:DEVICE and spaces
# between them, as entries of a table of ids. Without any there is nothing in it.

BEGIN {
	count = split(ENVIRON["TPH_ALIASES"], ids, " ")
	digit = "[0-9A-Fa-f]"
	four = digit digit digit digit
	for (i = 1; i <= count; i++) {
		if (ids[i] !~ "^" four ":" four "$") {
			printf "tph-vfio-pci: error: TPH_ALIASES: '%s' is no VENDOR:DEVICE, two times four hexadecimal digits, as in '8086:1521'; spaces go between them.\n",
			       ids[i] >"/dev/stderr"
			exit 1
		}
		id = tolower(ids[i])
		if (id in seen)
			continue
		seen[id]
		split(id, part, ":")
		entries = entries sprintf(" \\\n\t{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(0x%s, 0x%s) },",
					  part[1], part[2])
	}
	print "/* Made from TPH_ALIASES by aliases.awk. */"
	if (entries)
		print "#define TPH_ALIASES" entries
}
