// SPDX-License-Identifier: MIT
/* PCI addresses: see address.h. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "address.h"

/* Exactly @least to @most hex digits. Return: what follows them, or NULL. */
static const char *parse_hex(const char *text, int least, int most, uint32_t *value)
{
	int digits = 0;

	for (*value = 0; digits < most && isxdigit((unsigned char)*text); text++, digits++)
		*value = *value << 4 | (uint32_t)(isdigit((unsigned char)*text) ?
			*text - '0' : tolower((unsigned char)*text) - 'a' + 10);
	return digits >= least ? text : NULL;
}

int tph_address_parse(const char *address, char name[TPH_ADDRESS_SIZE])
{
	uint32_t domain = 0, bus, slot, function;
	const char *text;

	/* Some host bridges (VMD) make domains beyond 16 bits. */
	text = parse_hex(address, 4, 8, &domain);
	if (text && *text == ':') {
		text++;
	} else {
		domain = 0;
		text = address;
	}
	text = parse_hex(text, 2, 2, &bus);
	if (!text || *text++ != ':')
		return -EINVAL;
	text = parse_hex(text, 2, 2, &slot);
	if (!text || *text++ != '.')
		return -EINVAL;
	text = parse_hex(text, 1, 1, &function);
	if (!text || *text || slot > 0x1f || function > 7)
		return -EINVAL;
	snprintf(name, TPH_ADDRESS_SIZE, "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return 0;
}
