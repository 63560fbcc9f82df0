/* SPDX-License-Identifier: MIT */
/* PCI addresses as people write them; also compiled into tphctl. */
#ifndef TPH_ADDRESS_H
#define TPH_ADDRESS_H

/** TPH_ADDRESS_SIZE - room for any address, with its end. */
#define TPH_ADDRESS_SIZE	20

/**
 * tph_address_parse() - check an address and write it as sysfs does
 * @address: [domain:]bus:device.function, hex digits, both cases; 4 to 8 for the domain
 * @name: receives it with the domain, in lower case
 *
 * Return: 0 or -EINVAL.
 */
int tph_address_parse(const char *address, char name[TPH_ADDRESS_SIZE]);

#endif /* TPH_ADDRESS_H */
