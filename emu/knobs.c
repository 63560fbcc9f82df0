// SPDX-License-Identifier: MIT
#include "knobs.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "bits.h"
#include "config_space.h"
#include "endpoint.h"
#include "endpoint_regs.h"
#include "msix.h"
#include "tph.h"

struct parser {
	struct knobs *knobs;
	bool entries_given;
	bool vectors_given;
	bool modes_given;
	bool table_given;
	bool msix_at_given;
	char **error;
};

static int refuse(struct parser *parser, const char *key, const char *value, const char *format,
		  ...) __attribute__((format(printf, 4, 5)));

static int refuse(struct parser *parser, const char *key, const char *value, const char *format,
		  ...)
{
	va_list args;
	char *reason;

	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0)
		abort();
	va_end(args);
	if (asprintf(parser->error, "%s%s%s: %s", key, value ? "=" : "", value ? value : "",
		     reason) < 0)
		abort();
	free(reason);
	return -1;
}

/* A whole number in C notation and nothing else. */
static bool number_read(const char *text, unsigned long max, unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 0);
	return !errno && !*end && *number <= max;
}

static int parse_range(struct parser *parser, const char *key, const char *value, unsigned long min,
		       unsigned long max, unsigned long *number)
{
	if (!number_read(value, max, number) || *number < min)
		return refuse(parser, key, value, "not a number from %lu to %lu", min, max);
	return 0;
}

static int parse_id(struct parser *parser, const char *key, const char *value, unsigned long max,
		    unsigned long *number)
{
	if (!number_read(value, max, number))
		return refuse(parser, key, value, "not a number from 0 to 0x%lx", max);
	return 0;
}

struct choice {
	const char *word;
	unsigned int value;
};

static const struct choice on_off[] = { { "on", 1 }, { "off", 0 }, { NULL, 0 } };
static const struct choice tables[] = { { "cap", ST_TABLE_CAPABILITY },
					{ "msix", ST_TABLE_MSIX },
					{ "none", ST_TABLE_NONE },
					{ NULL, 0 } };
static const struct choice widths[] = { { "8", 8 }, { "16", 16 }, { NULL, 0 } };
static const struct choice completers[] = { { "none", COMPLETER_NONE },
					    { "8", COMPLETER_TPH },
					    { "16", COMPLETER_EXTENDED },
					    { "reserved", COMPLETER_RESERVED },
					    { NULL, 0 } };
static const struct choice modes[] = { { "nost", 1u << ST_MODE_NO_ST },
				       { "iv", 1u << ST_MODE_INTERRUPT_VECTOR },
				       { "ds", 1u << ST_MODE_DEVICE_SPECIFIC },
				       { NULL, 0 } };

static int parse_choice(struct parser *parser, const char *key, const char *value,
			const struct choice *choices, unsigned int *chosen)
{
	char allowed[64] = "";

	for (const struct choice *choice = choices; choice->word; choice++) {
		if (!strcmp(choice->word, value)) {
			*chosen = choice->value;
			return 0;
		}
		if (choice != choices)
			strcat(allowed, ", ");
		strcat(allowed, choice->word);
	}
	return refuse(parser, key, value, "not one of %s", allowed);
}

static int parse_switch(struct parser *parser, const char *key, const char *value, bool *on)
{
	unsigned int chosen = 0;
	int ret = parse_choice(parser, key, value, on_off, &chosen);

	*on = chosen;
	return ret;
}

static int parse_string(struct parser *parser, const char *key, const char *value, char **string)
{
	if (!*value)
		return refuse(parser, key, value, "empty");
	free(*string);
	*string = strdup(value);
	if (!*string)
		abort();
	return 0;
}

static int key_socket(struct parser *parser, const char *key, const char *value)
{
	const size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (strlen(value) >= room)
		return refuse(parser, key, value, "a socket path may have up to %zu bytes",
			      room - 1);
	return parse_string(parser, key, value, &parser->knobs->socket);
}

static int key_name(struct parser *parser, const char *key, const char *value)
{
	return parse_string(parser, key, value, &parser->knobs->name);
}

static int key_rid(struct parser *parser, const char *key, const char *value)
{
	unsigned int bus, device, function;
	int length = 0;

	if (sscanf(value, "%2x:%2x.%1x%n", &bus, &device, &function, &length) != 3 ||
	    value[length] || length != 7 || device > 0x1f || function > 7)
		return refuse(parser, key, value, "not BB:DD.F, from 00:00.0 to ff:1f.7");
	parser->knobs->rid = (uint16_t)(bus << 8 | device << 3 | function);
	return 0;
}

static int key_tph(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->tph);
}

static int key_tph_at(struct parser *parser, const char *key, const char *value)
{
	unsigned long at;

	if (!number_read(value, CONFIG_SPACE_SIZE - 1, &at) || at < 0x100 || at % 4)
		return refuse(parser, key, value, "not a multiple of 4 from 0x100 to 0xffc");
	parser->knobs->tph_at = (uint16_t)at;
	return 0;
}

static int key_config(struct parser *parser, const char *key, const char *value)
{
	char *at_text = strdup(value), *colon;
	unsigned long at = 0, dword = 0;
	bool valid;

	if (!at_text)
		abort();
	colon = strchr(at_text, ':');
	if (colon)
		*colon++ = '\0';
	valid = colon && number_read(at_text, KNOBS_EXTRA_LAST, &at) && at >= KNOBS_EXTRA_FIRST &&
		at % 4 == 0 && number_read(colon, UINT32_MAX, &dword);
	free(at_text);
	if (!valid)
		return refuse(parser, key, value,
			      "not AT:VALUE, with a multiple of 4 from 0x%x to 0x%x and 32 bits",
			      KNOBS_EXTRA_FIRST, KNOBS_EXTRA_LAST);
	parser->knobs->extra_at = (uint8_t)at;
	parser->knobs->extra_value = (uint32_t)dword;
	return 0;
}

static int key_table(struct parser *parser, const char *key, const char *value)
{
	unsigned int table = 0;
	int ret = parse_choice(parser, key, value, tables, &table);

	parser->knobs->table = (enum st_table)table;
	parser->table_given = true;
	return ret;
}

static int key_entries(struct parser *parser, const char *key, const char *value)
{
	unsigned long entries = 0;
	int ret = parse_range(parser, key, value, 1, KNOBS_VECTORS_MAX, &entries);

	parser->knobs->entries = (unsigned int)entries;
	parser->entries_given = true;
	return ret;
}

static int key_vectors(struct parser *parser, const char *key, const char *value)
{
	unsigned long vectors = 0;
	int ret = parse_range(parser, key, value, 0, KNOBS_VECTORS_MAX, &vectors);

	parser->knobs->vectors = (unsigned int)vectors;
	parser->vectors_given = true;
	return ret;
}

static const struct choice msix_bars[] = { { "0", 0 }, { "4", 4 }, { NULL, 0 } };

static int key_msix_bar(struct parser *parser, const char *key, const char *value)
{
	return parse_choice(parser, key, value, msix_bars, &parser->knobs->msix_bar);
}

static int key_msix_at(struct parser *parser, const char *key, const char *value)
{
	unsigned long at;

	if (!number_read(value, MSIX_PBA_AT - MSIX_ENTRY_SIZE, &at) || at % 8)
		return refuse(parser, key, value, "not a multiple of 8 from 0 to 0x%x",
			      MSIX_PBA_AT - MSIX_ENTRY_SIZE);
	parser->knobs->msix_at = (uint32_t)at;
	parser->msix_at_given = true;
	return 0;
}

static const struct choice memory_bars[] = { { "2", 2 }, { "4", 4 }, { NULL, 0 } };

static int key_memory_bar(struct parser *parser, const char *key, const char *value)
{
	return parse_choice(parser, key, value, memory_bars, &parser->knobs->memory_bar);
}

/* A number, or one of KiB or MiB with K or M behind it. */
static int key_memory_size(struct parser *parser, const char *key, const char *value)
{
	size_t length = strlen(value);
	char last = length ? value[length - 1] : '\0';
	unsigned int shift = last == 'K' ? 10 : last == 'M' ? 20 : 0;
	char *digits = strndup(value, shift ? length - 1 : length);
	unsigned long size = 0;
	bool valid;

	if (!digits)
		abort();
	valid = number_read(digits, KNOBS_MEMORY_MAX >> shift, &size);
	free(digits);
	size <<= shift;
	if (!valid || size < KNOBS_MEMORY_MIN || size & (size - 1))
		return refuse(parser, key, value, "not a power of two from 4K to 16M");
	parser->knobs->memory_size = (uint32_t)size;
	return 0;
}

static int key_p2p(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->p2p);
}

static int key_queues(struct parser *parser, const char *key, const char *value)
{
	unsigned long queues = 0;
	int ret = parse_range(parser, key, value, 0, EP_QUEUE_MAX, &queues);

	parser->knobs->queues = (unsigned int)queues;
	return ret;
}

static int key_packets(struct parser *parser, const char *key, const char *value)
{
	char *reason;
	int ret;

	if (!packets_load(&parser->knobs->packets, value, &reason))
		return 0;
	ret = refuse(parser, key, value, "%s", reason);
	free(reason);
	return ret;
}

static int key_sent(struct parser *parser, const char *key, const char *value)
{
	if (!*value)
		return refuse(parser, key, value, "not the path of a file");
	parser->knobs->sent = strdup(value);
	if (!parser->knobs->sent)
		abort();
	return 0;
}

static int key_modes(struct parser *parser, const char *key, const char *value)
{
	char *list = strdup(value), *rest = list, *word;
	int ret = 0;

	if (!list)
		abort();
	parser->knobs->modes = 0;
	parser->modes_given = true;
	while (!ret && (word = strsep(&rest, "+"))) {
		unsigned int mode = 0;

		ret = parse_choice(parser, key, word, modes, &mode);
		if (!ret && parser->knobs->modes & mode)
			ret = refuse(parser, key, value, "%s is named twice", word);
		parser->knobs->modes |= mode;
	}
	free(list);
	return ret;
}

static int key_width(struct parser *parser, const char *key, const char *value)
{
	return parse_choice(parser, key, value, widths, &parser->knobs->width);
}

static int key_completer(struct parser *parser, const char *key, const char *value)
{
	return parse_choice(parser, key, value, completers, &parser->knobs->completer);
}

static int key_flr(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->flr);
}

static int key_af(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->af);
}

static int key_aer(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->aer);
}

static int key_pasid(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->pasid);
}

static int key_nsr(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->no_soft_reset);
}

static int key_vendor(struct parser *parser, const char *key, const char *value)
{
	unsigned long id = 0;
	int ret = parse_id(parser, key, value, 0xfffe, &id);

	parser->knobs->vendor = (uint16_t)id;
	return ret;
}

static int key_device(struct parser *parser, const char *key, const char *value)
{
	unsigned long id = 0;
	int ret = parse_id(parser, key, value, 0xffff, &id);

	parser->knobs->device = (uint16_t)id;
	return ret;
}

static int key_class(struct parser *parser, const char *key, const char *value)
{
	unsigned long id = 0;
	int ret = parse_id(parser, key, value, 0xffffff, &id);

	parser->knobs->class_code = (uint32_t)id;
	return ret;
}

/* clang-format off */
static const struct {
	const char *key;
	int (*parse)(struct parser *parser, const char *key, const char *value);
} keys[] = {
	{ "socket", key_socket },   { "name", key_name },
	{ "rid", key_rid },	    { "st-table", key_table },
	{ "entries", key_entries }, { "modes", key_modes },
	{ "width", key_width },	    { "completer", key_completer },
	{ "vectors", key_vectors }, { "flr", key_flr },
	{ "tph", key_tph },	    { "tph-at", key_tph_at },
	{ "vendor", key_vendor },   { "device", key_device },
	{ "class", key_class },	    { "nsr", key_nsr },
	{ "msix-bar", key_msix_bar }, { "msix-offset", key_msix_at },
	{ "memory-bar", key_memory_bar }, { "memory-size", key_memory_size },
	{ "p2p", key_p2p },
	{ "queues", key_queues },   { "packets", key_packets },
	{ "sent", key_sent },
	{ "af", key_af },	    { "aer", key_aer },
	{ "pasid", key_pasid },	    { "config", key_config },
};
/* clang-format on */

static int parse_pair(struct parser *parser, char *pair, unsigned int *seen)
{
	char *value = strchr(pair, '=');
	char *error;

	if (!value)
		return refuse(parser, *pair ? pair : "an empty item", NULL, "not KEY=VALUE");
	*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, pair))
			continue;
		if (*seen & 1u << i)
			return refuse(parser, pair, value, "the key is given twice");
		*seen |= 1u << i;
		return keys[i].parse(parser, pair, value);
	}

	error = strdup("");
	for (size_t i = 0; error && i < ARRAY_SIZE(keys); i++) {
		char *longer;

		if (asprintf(&longer, "%s%s%s", error, i ? ", " : "", keys[i].key) < 0)
			abort();
		free(error);
		error = longer;
	}
	refuse(parser, pair, value, "unknown key; known are %s", error ? error : "");
	free(error);
	return -1;
}

/* What single values cannot tell: whether they fit together. */
static int check_whole(struct parser *parser)
{
	const unsigned int iv = 1u << ST_MODE_INTERRUPT_VECTOR;
	struct knobs *knobs = parser->knobs;
	size_t end, limit = CONFIG_SPACE_SIZE;
	char number[16];

	if (!knobs->socket)
		return refuse(parser, "socket", NULL, "missing; every function needs socket=PATH");

	snprintf(number, sizeof(number), "%u", knobs->entries);
	switch (knobs->table) {
	case ST_TABLE_CAPABILITY:
		if (!parser->entries_given)
			knobs->entries = KNOBS_CAPABILITY_ENTRIES_MAX;
		if (knobs->entries > KNOBS_CAPABILITY_ENTRIES_MAX)
			return refuse(parser, "entries", number,
				      "an ST table in the capability has 1 to %u",
				      KNOBS_CAPABILITY_ENTRIES_MAX);
		break;
	case ST_TABLE_MSIX:
		if (parser->entries_given && !parser->vectors_given)
			knobs->vectors = knobs->entries;
		if (!knobs->vectors)
			return refuse(parser, "st-table", "msix",
				      "needs MSI-X, so vectors=1 or more");
		if (!parser->entries_given)
			knobs->entries = knobs->vectors;
		if (knobs->entries > knobs->vectors)
			return refuse(parser, "entries", number,
				      "more than the MSI-X table has with vectors=%u",
				      knobs->vectors);
		break;
	case ST_TABLE_NONE:
		if (parser->entries_given)
			return refuse(parser, "entries", number,
				      "there is no ST table with st-table=none");
		knobs->entries = 0;
		if (!parser->modes_given)
			knobs->modes &= ~iv;
		if (knobs->modes & iv)
			return refuse(
				parser, "modes", "iv",
				"Interrupt Vector mode needs an ST table: st-table=cap or msix");
		break;
	}

	if (knobs->msix_bar == EP_BAR && !parser->msix_at_given)
		knobs->msix_at = EP_REGISTERS_END;
	end = knobs->msix_at + (size_t)knobs->vectors * MSIX_ENTRY_SIZE;
	snprintf(number, sizeof(number), "0x%x", knobs->msix_at);
	if (knobs->msix_bar == EP_BAR && knobs->msix_at < EP_REGISTERS_END)
		return refuse(parser, "msix-offset", number, "BAR 0 has its registers below 0x%x",
			      EP_REGISTERS_END);
	if (end > MSIX_PBA_AT)
		return refuse(parser, "msix-offset", number,
			      "a table of %u entries there ends at 0x%zx, beyond the PBA at 0x%x",
			      knobs->vectors, end, MSIX_PBA_AT);

	snprintf(number, sizeof(number), "0x%x", knobs->memory_size);
	if (knobs->memory_size && !knobs->memory_bar)
		return refuse(parser, "memory-size", number,
			      "there is no memory without memory-bar=2 or 4");
	if (knobs->memory_bar == MSIX_BAR && knobs->vectors && knobs->msix_bar == MSIX_BAR)
		return refuse(parser, "memory-bar", "4",
			      "the MSI-X table is there; use 2, or msix-bar=0 or vectors=0");
	if (knobs->memory_bar && !knobs->memory_size)
		knobs->memory_size = KNOBS_MEMORY_DEFAULT;

	if (knobs->packets.file && !knobs->queues)
		return refuse(parser, "packets", NULL,
			      "there is no queue to receive them without queues=1 or more");
	if (knobs->sent && !knobs->queues)
		return refuse(parser, "sent", knobs->sent,
			      "there is no queue to transmit packets without queues=1 or more");

	if (knobs->aer)
		limit = AER_AT;
	if (knobs->pasid)
		limit = ENDPOINT_PASID_AT;
	end = (size_t)knobs->tph_at + tph_size(knobs);
	snprintf(number, sizeof(number), "0x%x", knobs->tph_at);
	if (knobs->tph && end > limit)
		return refuse(
			parser, "tph-at", number,
			"the capability with its table has %zu bytes, so 0x%zx is the highest%s",
			tph_size(knobs), (limit - tph_size(knobs)) & ~(size_t)3,
			knobs->pasid ? " with pasid=on"
			: knobs->aer ? " with aer=on"
				     : "");
	if (knobs->tph && knobs->tph_at != 0x100 && knobs->tph_at < 0x10c)
		return refuse(
			parser, "tph-at", number,
			"the Device Serial Number is at 0x100..0x10b; use 0x100 to put TPH first");
	return 0;
}

int knobs_parse(struct knobs *knobs, const char *text, unsigned int number, char **error)
{
	struct parser parser = { .knobs = knobs, .error = error };
	char *list = strdup(text), *rest = list, *pair;
	unsigned int seen = 0;
	int ret = 0;

	*knobs = (struct knobs){
		.tph = true,
		.tph_at = 0x110,
		.table = ST_TABLE_CAPABILITY,
		.modes = 1u << ST_MODE_NO_ST | 1u << ST_MODE_INTERRUPT_VECTOR |
			 1u << ST_MODE_DEVICE_SPECIFIC,
		.width = 16,
		.vectors = 16,
		.msix_bar = MSIX_BAR,
		.flr = true,
		.no_soft_reset = true,
		.vendor = 0x1234,
		.device = 0x7450,
		.class_code = 0x120000,
	};
	if (!list || asprintf(&knobs->name, "ep%u", number) < 0)
		abort();
	while (!ret && (pair = strsep(&rest, ",")))
		ret = parse_pair(&parser, pair, &seen);
	if (!ret)
		ret = check_whole(&parser);
	if (ret)
		knobs_free(knobs);
	free(list);
	return ret;
}

void knobs_free(struct knobs *knobs)
{
	free(knobs->socket);
	free(knobs->name);
	free(knobs->sent);
	knobs->socket = knobs->name = knobs->sent = NULL;
	packets_free(&knobs->packets);
}
