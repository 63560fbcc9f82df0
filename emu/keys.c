// SPDX-License-Identifier: MIT
#include "keys.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <linux/pci_regs.h>

#include "dump.h"
#include "format/bits.h"
#include "pcie/bars.h"
#include "pcie/config_space.h"
#include "pcie/function.h"
#include "pcie/layout.h"
#include "pcie/msix.h"
#include "pcie/tph.h"

#define REASON_MAX 4608 /* of a model: a path may be in it */

/**
 * struct parser - @model_entries: ST entries by default, 0: as many as there can be
 * @seen: a bit for each key that was given
 */
struct parser {
	struct knobs *knobs;
	bool entries_given;
	bool vectors_given;
	bool modes_given;
	bool msix_at_given;
	bool pba_at_given;
	bool preset_given;
	unsigned int model_entries;
	uint64_t seen;
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
	char *allowed = NULL, *longer;
	int ret;

	for (const struct choice *choice = choices; choice->word; choice++) {
		if (!strcmp(choice->word, value)) {
			*chosen = choice->value;
			free(allowed);
			return 0;
		}
		if (asprintf(&longer, "%s%s%s", allowed ? allowed : "", allowed ? ", " : "",
			     choice->word) < 0)
			abort();
		free(allowed);
		allowed = longer;
	}
	ret = refuse(parser, key, value, "not one of %s", allowed);
	free(allowed);
	return ret;
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

/* Bytes of the character that @text begins with, 0 if it is none that is UTF-8 and can be seen. */
static size_t character(const unsigned char *text)
{
	static const uint32_t smallest[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	const size_t size = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	uint32_t code = size == 1 ? text[0] : text[0] & (0x7fu >> size);

	if ((text[0] >= 0x80 && text[0] < 0xc0) || text[0] > 0xf7)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < smallest[size] || code == 0x7f || (code >= 0xd800 && code < 0xe000) ||
	    code > 0x10ffff)
		return 0;
	return size;
}

static int key_name(struct parser *parser, const char *key, const char *value)
{
	/* It is in every line of the log, which is JSON; the value would spoil this message, too.
	 */
	for (size_t size, at = 0; value[at]; at += size) {
		size = character((const unsigned char *)value + at);
		if (!size)
			return refuse(parser, key, NULL,
				      "byte %zu is not of a character that can be seen, in UTF-8",
				      at);
	}
	return parse_string(parser, key, value, &parser->knobs->name);
}

static int key_rid(struct parser *parser, const char *key, const char *value)
{
	static const char form[] = "xx:xx.x";
	unsigned int bus, device, function;
	bool valid = strlen(value) == sizeof(form) - 1;

	/* sscanf() alone lets signs, blanks and 0x pass */
	for (size_t i = 0; valid && form[i]; i++)
		valid = form[i] == 'x' ? isxdigit((unsigned char)value[i]) : value[i] == form[i];
	if (!valid || sscanf(value, "%2x:%2x.%1x", &bus, &device, &function) != 3 ||
	    device > 0x1f || function > 7)
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
	parser->model_entries = 0;
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

static int key_claim(struct parser *parser, const char *key, const char *value)
{
	unsigned long entries = 0;
	int ret = parse_range(parser, key, value, 1, KNOBS_VECTORS_MAX, &entries);

	parser->knobs->claim = (unsigned int)entries;
	return ret;
}

static int key_tph_size(struct parser *parser, const char *key, const char *value)
{
	unsigned long bytes = 0;

	if (!number_read(value, CONFIG_SPACE_SIZE - 0x100, &bytes) || !bytes || bytes % 4)
		return refuse(parser, key, value, "not a multiple of 4 from 4 to 0xf00");
	parser->knobs->tph_bytes = (unsigned int)bytes;
	return 0;
}

static int key_control(struct parser *parser, const char *key, const char *value)
{
	unsigned long control = 0;
	int ret = parse_id(parser, key, value, UINT32_MAX, &control);

	parser->knobs->control = (uint32_t)control;
	return ret;
}

/* Calls @take for each of the words that + joins, up to @max. */
static int parse_list(struct parser *parser, const char *key, const char *value, unsigned int max,
		      int (*take)(struct parser *parser, const char *key, const char *word,
				  unsigned int index))
{
	char *list = strdup(value), *rest = list, *word;
	unsigned int count = 0;
	int ret = 0;

	if (!list)
		abort();
	while (!ret && (word = strsep(&rest, "+"))) {
		if (count == max)
			ret = refuse(parser, key, value, "more than %u", max);
		else
			ret = take(parser, key, word, count++);
	}
	free(list);
	return ret;
}

static int take_tag(struct parser *parser, const char *key, const char *word, unsigned int index)
{
	unsigned long tag = 0;
	int ret = parse_id(parser, key, word, UINT16_MAX, &tag);

	parser->knobs->tags[index] = (uint16_t)tag;
	parser->knobs->tag_count = index + 1;
	return ret;
}

static int key_tags(struct parser *parser, const char *key, const char *value)
{
	return parse_list(parser, key, value, KNOBS_CAPABILITY_ENTRIES_MAX, take_tag);
}

static const struct choice presets[] = { { "power-on", 0 }, { "reset", 1 }, { NULL, 0 } };

static int key_preset(struct parser *parser, const char *key, const char *value)
{
	unsigned int chosen = 0;
	int ret = parse_choice(parser, key, value, presets, &chosen);

	parser->knobs->preset_always = chosen;
	parser->preset_given = true;
	return ret;
}

static int take_vsec(struct parser *parser, const char *key, const char *word, unsigned int index)
{
	char *at_text = strdup(word), *colon;
	unsigned long at = 0, size = 0;
	bool valid;

	if (!at_text)
		abort();
	colon = strchr(at_text, ':');
	if (colon)
		*colon++ = '\0';
	valid = colon && number_read(at_text, CONFIG_SPACE_SIZE - 1, &at) && at >= 0x10c &&
		at % 4 == 0 && number_read(colon, CONFIG_SPACE_SIZE - at, &size) &&
		size > KNOBS_VSEC_HEADER && size % 4 == 0;
	free(at_text);
	if (!valid)
		return refuse(parser, key, word,
			      "not AT:SIZE, with multiples of 4 from 0x10c and from 12 up that end "
			      "by 0x1000");
	parser->knobs->vsecs[index].at = (uint16_t)at;
	parser->knobs->vsecs[index].size = (uint16_t)size;
	parser->knobs->vsec_count = index + 1;
	return 0;
}

static int key_vsec(struct parser *parser, const char *key, const char *value)
{
	return parse_list(parser, key, value, KNOBS_VSECS_MAX, take_vsec);
}

static const struct choice firsts[] = { { "tph", 0 }, { "vsec", 1 }, { NULL, 0 } };

static int key_chain(struct parser *parser, const char *key, const char *value)
{
	unsigned int chosen = 0;
	int ret = parse_choice(parser, key, value, firsts, &chosen);

	parser->knobs->vsec_first = chosen;
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

static int key_msix_bar(struct parser *parser, const char *key, const char *value)
{
	unsigned long bar = 0;
	int ret = parse_range(parser, key, value, 0, PCI_STD_NUM_BARS - 1, &bar);

	parser->knobs->msix_bar = (unsigned int)bar;
	return ret;
}

static int parse_msix_offset(struct parser *parser, const char *key, const char *value,
			     uint32_t *offset)
{
	unsigned long at = 0;

	if (!number_read(value, KNOBS_MSIX_SIZE_MAX - 8, &at) || at % 8)
		return refuse(parser, key, value, "not a multiple of 8 from 0 to 0x%x",
			      KNOBS_MSIX_SIZE_MAX - 8);
	*offset = (uint32_t)at;
	return 0;
}

static int key_msix_at(struct parser *parser, const char *key, const char *value)
{
	parser->msix_at_given = true;
	return parse_msix_offset(parser, key, value, &parser->knobs->msix_at);
}

static int key_pba_at(struct parser *parser, const char *key, const char *value)
{
	parser->pba_at_given = true;
	return parse_msix_offset(parser, key, value, &parser->knobs->pba_at);
}

static const struct choice memory_bars[] = { { "2", 2 }, { "4", 4 }, { NULL, 0 } };

static int key_memory_bar(struct parser *parser, const char *key, const char *value)
{
	return parse_choice(parser, key, value, memory_bars, &parser->knobs->memory_bar);
}

/* A number, or one of KiB or MiB with K or M behind it. */
static int parse_size(struct parser *parser, const char *key, const char *value, unsigned long min,
		      unsigned long max, const char *range, uint32_t *bytes)
{
	size_t length = strlen(value);
	char last = length ? value[length - 1] : '\0';
	unsigned int shift = last == 'K' ? 10 : last == 'M' ? 20 : 0;
	char *digits = strndup(value, shift ? length - 1 : length);
	unsigned long size = 0;
	bool valid;

	if (!digits)
		abort();
	valid = number_read(digits, max >> shift, &size);
	free(digits);
	size <<= shift;
	if (!valid || size < min || size & (size - 1))
		return refuse(parser, key, value, "not a power of two from %s", range);
	*bytes = (uint32_t)size;
	return 0;
}

static int key_memory_size(struct parser *parser, const char *key, const char *value)
{
	return parse_size(parser, key, value, KNOBS_MEMORY_MIN, KNOBS_MEMORY_MAX, "4K to 16M",
			  &parser->knobs->memory_size);
}

static int key_msix_size(struct parser *parser, const char *key, const char *value)
{
	return parse_size(parser, key, value, KNOBS_MSIX_SIZE_MIN, KNOBS_MSIX_SIZE_MAX, "4K to 64K",
			  &parser->knobs->msix_size);
}

static int key_p2p(struct parser *parser, const char *key, const char *value)
{
	return parse_switch(parser, key, value, &parser->knobs->p2p);
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

static int take_mode(struct parser *parser, const char *key, const char *word, unsigned int index)
{
	unsigned int mode = 0;
	int ret = parse_choice(parser, key, word, modes, &mode);

	(void)index;
	if (!ret && parser->knobs->modes & mode)
		ret = refuse(parser, key, word, "%s is named twice", word);
	parser->knobs->modes |= mode;
	return ret;
}

static int key_modes(struct parser *parser, const char *key, const char *value)
{
	parser->knobs->modes = 0;
	parser->modes_given = true;
	/* Such devices exist, though the specification knows none. */
	if (!strcmp(value, "none"))
		return 0;
	return parse_list(parser, key, value, UINT_MAX, take_mode);
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

/* Taken before all others, by take_profile(): they change what it says. */
static int key_profile(struct parser *parser, const char *key, const char *value)
{
	(void)parser;
	(void)key;
	(void)value;
	return 0;
}

static int apply_profile(struct parser *parser, const char *value)
{
	struct profile *profile;
	char *why;
	int ret;

	if (!*value)
		return refuse(parser, "profile", value, "not the path of a file");
	profile = dump_read(value, &why);
	if (!profile) {
		ret = refuse(parser, "profile", value, "%s", why);
		free(why);
		return ret;
	}
	profile_apply(profile, parser->knobs);
	return 0;
}

static int take_profile(struct parser *parser, const struct knobs_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(pairs[i].key, "profile"))
			return apply_profile(parser, pairs[i].value);
	return 0;
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
	{ "p2p", key_p2p },	    { "sent", key_sent },
	{ "af", key_af },	    { "aer", key_aer },
	{ "pasid", key_pasid },	    { "config", key_config },
	{ "claim", key_claim },	    { "tph-size", key_tph_size },
	{ "control", key_control }, { "tags", key_tags },
	{ "preset", key_preset },   { "vsec", key_vsec },
	{ "chain-first", key_chain }, { "pba-offset", key_pba_at },
	{ "msix-size", key_msix_size }, { "profile", key_profile },
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(keys) + KEYS_MODEL_MAX <= 64, "a bit for each key in parse_pair()");

bool keys_has(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].key, key))
			return true;
	return false;
}

static int model_parse(struct parser *parser, const char *key, const char *value)
{
	const struct tph_emu_model *model = parser->knobs->model;
	char why[REASON_MAX] = "";

	if (!model->set(parser->knobs->model_state, key, value, why, sizeof(why)))
		return 0;
	return refuse(parser, key, value, "%s", why);
}

static int unknown_key(struct parser *parser, const char *key, const char *value)
{
	const char *const *own = parser->knobs->model->keys;
	char *list = NULL, *longer;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(keys) || (own && *own); i++) {
		if (asprintf(&longer, "%s%s%s", list ? list : "", list ? ", " : "",
			     i < ARRAY_SIZE(keys) ? keys[i].key : *own++) < 0)
			abort();
		free(list);
		list = longer;
	}
	ret = refuse(parser, key, value, "unknown key; known are %s", list);
	free(list);
	return ret;
}

/* Whether the key with that number is given for the first time. */
static int see(struct parser *parser, const char *key, const char *value, size_t number)
{
	if (parser->seen & UINT64_C(1) << number)
		return refuse(parser, key, value, "the key is given twice");
	parser->seen |= UINT64_C(1) << number;
	return 0;
}

static int parse_pair(struct parser *parser, const char *key, const char *value)
{
	const char *const *own = parser->knobs->model->keys;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].key, key))
			return see(parser, key, value, i) ? -1
							  : keys[i].parse(parser, key, value);
	for (size_t i = 0; own && own[i]; i++)
		if (!strcmp(own[i], key))
			return see(parser, key, value, ARRAY_SIZE(keys) + i)
				       ? -1
				       : model_parse(parser, key, value);
	return unknown_key(parser, key, value);
}

static bool ranges_meet(size_t a, size_t a_size, size_t b, size_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Table and PBA have to be in their BAR, beside one another and beside the registers. */
static int check_msix(struct parser *parser)
{
	struct knobs *knobs = parser->knobs;
	const size_t table = msix_table_size(knobs->vectors), pba = msix_pba_size(knobs->vectors);
	char number[16];

	snprintf(number, sizeof(number), "0x%x", knobs->msix_size);
	if (knobs->msix_size && (knobs->msix_bar == REGISTERS_BAR || !knobs->vectors))
		return refuse(parser, "msix-size", number,
			      "there is no BAR for the MSI-X table alone, whose size it could be");
	if (!knobs->msix_size)
		knobs->msix_size = knobs->msix_bar == REGISTERS_BAR ? knobs->registers_size
								    : KNOBS_MSIX_SIZE_DEFAULT;
	if (knobs->msix_bar == REGISTERS_BAR && !parser->msix_at_given)
		knobs->msix_at = knobs->registers_end;
	if (!parser->pba_at_given)
		knobs->pba_at = knobs->msix_size / 16 * 15;
	if (!knobs->vectors)
		return 0;

	snprintf(number, sizeof(number), "0x%x", knobs->msix_at);
	if (knobs->msix_bar == REGISTERS_BAR && knobs->msix_at < knobs->registers_end)
		return refuse(parser, "msix-offset", number, "BAR 0 has its registers below 0x%x",
			      knobs->registers_end);
	if (knobs->msix_at + table > knobs->msix_size)
		return refuse(parser, "msix-offset", number,
			      "a table of %u entries there ends at 0x%zx, beyond the BAR's 0x%x",
			      knobs->vectors, knobs->msix_at + table, knobs->msix_size);
	if (ranges_meet(knobs->msix_at, table, knobs->pba_at, pba))
		return refuse(parser, "msix-offset", number,
			      "a table of %u entries there ends at 0x%zx; the PBA is at 0x%x",
			      knobs->vectors, knobs->msix_at + table, knobs->pba_at);

	snprintf(number, sizeof(number), "0x%x", knobs->pba_at);
	if (knobs->msix_bar == REGISTERS_BAR && knobs->pba_at < knobs->registers_end)
		return refuse(parser, "pba-offset", number, "BAR 0 has its registers below 0x%x",
			      knobs->registers_end);
	if (knobs->pba_at + pba > knobs->msix_size)
		return refuse(parser, "pba-offset", number,
			      "the PBA of %u vectors there ends at 0x%zx, beyond the BAR's 0x%x",
			      knobs->vectors, knobs->pba_at + pba, knobs->msix_size);
	return 0;
}

/* What the function comes with has to be what its registers can hold. */
static int check_preset(struct parser *parser)
{
	struct knobs *knobs = parser->knobs;
	char number[16];

	snprintf(number, sizeof(number), "0x%x", knobs->control);
	if (knobs->control && !knobs->tph)
		return refuse(parser, "control", number, "there is no TPH capability with tph=off");
	if (knobs->control & ~tph_control_writable(knobs))
		return refuse(parser, "control", number,
			      "only the bits 0x%x of the register can be set",
			      tph_control_writable(knobs));
	if (knobs->tag_count && (!knobs->tph || knobs->table != ST_TABLE_CAPABILITY))
		return refuse(parser, "tags", NULL, "there is no ST table in the capability");
	snprintf(number, sizeof(number), "%u", knobs->entries);
	if (knobs->tag_count > knobs->entries)
		return refuse(parser, "tags", NULL, "%u of them, but entries=%u", knobs->tag_count,
			      knobs->entries);
	for (unsigned int i = 0; i < knobs->tag_count; i++) {
		snprintf(number, sizeof(number), "0x%x", knobs->tags[i]);
		if (knobs->width == 8 && knobs->tags[i] > 0xff)
			return refuse(parser, "tags", number, "an entry has 8 bits with width=8");
	}
	if (parser->preset_given && !knobs->control && !knobs->tag_count)
		return refuse(parser, "preset", knobs->preset_always ? "reset" : "power-on",
			      "there is nothing to set without control or tags");
	return 0;
}

static int check_vsecs(struct parser *parser, size_t limit)
{
	const struct knobs *knobs = parser->knobs;
	const size_t tph = knobs->tph ? tph_size(knobs) : 0;

	if (knobs->vsec_first && (!knobs->vsec_count || !knobs->tph))
		return refuse(parser, "chain-first", "vsec", "needs tph=on and vsec=AT:SIZE");
	if (knobs->vsec_first && knobs->tph_at == 0x100)
		return refuse(parser, "chain-first", "vsec", "the first is TPH with tph-at=0x100");
	for (unsigned int i = 0; i < knobs->vsec_count; i++) {
		const size_t at = knobs->vsecs[i].at, size = knobs->vsecs[i].size;
		char range[24];

		snprintf(range, sizeof(range), "0x%zx:%zu", at, size);
		if (at + size > limit)
			return refuse(parser, "vsec", range,
				      "pasid=on and aer=on take 0x%zx and up", limit);
		if (knobs->tph && ranges_meet(at, size, knobs->tph_at, tph))
			return refuse(parser, "vsec", range, "TPH is at 0x%x to 0x%zx",
				      knobs->tph_at, knobs->tph_at + tph - 1);
		if (knobs->tph && knobs->tph_at == 0x100 && ranges_meet(at, size, 0x100 + tph, 12))
			return refuse(parser, "vsec", range,
				      "the Device Serial Number is behind TPH, at 0x%zx to 0x%zx",
				      0x100 + tph, 0x100 + tph + 11);
		for (unsigned int j = 0; j < i; j++)
			if (ranges_meet(at, size, knobs->vsecs[j].at, knobs->vsecs[j].size))
				return refuse(parser, "vsec", range, "another one is at 0x%x:%u",
					      knobs->vsecs[j].at, knobs->vsecs[j].size);
	}
	return 0;
}

static int check_model(struct parser *parser)
{
	const struct knobs *knobs = parser->knobs;
	const struct tph_emu_function function = function_describe(knobs);
	char why[REASON_MAX] = "";

	if (!knobs->model->check ||
	    !knobs->model->check(knobs->model_state, &function, why, sizeof(why)))
		return 0;
	*parser->error = strdup(why);
	if (!*parser->error)
		abort();
	return -1;
}

/* What the table has, and what goes with it. */
static int check_table(struct parser *parser)
{
	const unsigned int iv = 1u << ST_MODE_INTERRUPT_VECTOR;
	struct knobs *knobs = parser->knobs;
	char number[16];

	snprintf(number, sizeof(number), "%u", knobs->entries);
	switch (knobs->table) {
	case ST_TABLE_CAPABILITY:
		if (!parser->entries_given)
			knobs->entries = parser->model_entries ? parser->model_entries
							       : KNOBS_CAPABILITY_ENTRIES_MAX;
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
			knobs->entries =
				parser->model_entries ? parser->model_entries : knobs->vectors;
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
		snprintf(number, sizeof(number), "%u", knobs->claim);
		if (knobs->claim)
			return refuse(parser, "claim", number,
				      "there is no ST table with st-table=none");
		if (!parser->modes_given)
			knobs->modes &= ~iv;
		if (knobs->modes & iv)
			return refuse(
				parser, "modes", "iv",
				"Interrupt Vector mode needs an ST table: st-table=cap or msix");
		break;
	}
	if (!knobs->claim)
		knobs->claim = knobs->entries;
	return 0;
}

/* Keys that say where things are, which the profile says already. */
static int check_profile(struct parser *parser)
{
	static const char *const beside[] = { "socket", "name", "rid", "profile", "p2p", "sent",
					      "memory-bar", "memory-size", "modes", "width",
					      "completer", "flr", "nsr", "claim", "control", "tags",
					      "preset", "vendor", "device", "class" };
	const struct knobs *knobs = parser->knobs;
	char number[16];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		bool allowed = !(parser->seen & UINT64_C(1) << i);

		for (size_t j = 0; j < ARRAY_SIZE(beside) && !allowed; j++)
			allowed = !strcmp(keys[i].key, beside[j]);
		if (!allowed)
			return refuse(parser, keys[i].key, NULL,
				      "the profile says that; change the file, or leave one out");
	}
	snprintf(number, sizeof(number), "%u", knobs->memory_bar);
	for (unsigned int bar = 0; bar < KNOBS_BARS; bar++)
		if (knobs->memory_bar && knobs->bars[bar].size &&
		    (bar / 2 == knobs->memory_bar / 2 ||
		     (bar + 1 == knobs->memory_bar &&
		      knobs->bars[bar].type & PCI_BASE_ADDRESS_MEM_TYPE_64)))
			return refuse(parser, "memory-bar", number,
				      "the device has BAR %u; use %u, if it has nothing there", bar,
				      knobs->memory_bar ^ 6);
	return 0;
}

/* What single values cannot tell: whether they fit together. */
static int check_whole(struct parser *parser)
{
	struct knobs *knobs = parser->knobs;
	size_t end, limit = CONFIG_SPACE_SIZE;
	char number[16];
	int ret;

	if (!knobs->socket)
		return refuse(parser, "socket", NULL, "missing; every function needs socket=PATH");

	ret = knobs->profile ? check_profile(parser) : check_table(parser);
	if (ret)
		return ret;

	snprintf(number, sizeof(number), "0x%x", knobs->tph_bytes);
	if (knobs->tph_bytes && knobs->tph_bytes < tph_used(knobs))
		return refuse(parser, "tph-size", number,
			      "the capability with its table has %zu bytes", tph_used(knobs));
	ret = check_preset(parser);
	if (ret)
		return ret;

	ret = knobs->profile ? 0 : check_msix(parser);
	if (ret)
		return ret;

	snprintf(number, sizeof(number), "0x%x", knobs->memory_size);
	if (knobs->memory_size && !knobs->memory_bar)
		return refuse(parser, "memory-size", number,
			      "there is no memory without memory-bar=2 or 4");
	snprintf(number, sizeof(number), "%u", knobs->memory_bar);
	if (knobs->memory_bar && !knobs->profile && knobs->vectors &&
	    knobs->msix_bar / 2 == knobs->memory_bar / 2)
		return refuse(parser, "memory-bar", number,
			      "the MSI-X table is there; use %u, or msix-bar=0 or vectors=0",
			      knobs->memory_bar ^ 6);
	if (knobs->memory_bar && !knobs->memory_size)
		knobs->memory_size = KNOBS_MEMORY_DEFAULT;

	bars_lay(knobs);

	ret = check_model(parser);
	if (ret || knobs->profile)
		return ret;

	if (knobs->aer)
		limit = AER_AT;
	if (knobs->pasid)
		limit = PASID_AT;
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
	return check_vsecs(parser, limit);
}

static void take_defaults(struct parser *parser, const struct tph_emu_model *model)
{
	struct knobs *knobs = parser->knobs;
	struct tph_emu_function function = {
		.vendor = 0x1234,
		.device = 0x7450,
		.class_code = 0x120000,
		.registers_size = REGISTERS_SIZE_MIN,
		.registers_end = REGISTERS_SIZE_MIN,
		.vectors = 16,
		.table = TPH_EMU_TABLE_CAPABILITY,
		.modes = TPH_EMU_NO_ST | TPH_EMU_INTERRUPT_VECTOR | TPH_EMU_DEVICE_SPECIFIC,
		.width = 16,
	};

	*knobs = (struct knobs){
		.model = model,
		.model_state = calloc(1, model->state_size ? model->state_size : 1),
		.tph = true,
		.tph_at = 0x110,
		.msix_bar = MSIX_BAR,
		.flr = true,
		.no_soft_reset = true,
	};
	if (!knobs->model_state)
		abort();
	if (model->defaults)
		model->defaults(knobs->model_state, &function);
	knobs->registers_size = function.registers_size;
	knobs->registers_end = function.registers_end;
	knobs->table = (enum st_table)function.table;
	knobs->modes = function.modes;
	knobs->width = function.width;
	knobs->vectors = function.vectors;
	knobs->vendor = function.vendor;
	knobs->device = function.device;
	knobs->class_code = function.class_code;
	knobs->revision = (uint8_t)function.revision;
	parser->model_entries = function.entries;
}

/* A model is somebody's program: what it makes of the defaults is checked as keys are. */
static int check_defaults(struct parser *parser)
{
	const struct knobs *knobs = parser->knobs;
	const uint32_t size = knobs->registers_size;
	const char *wrong = NULL;

	if (size < REGISTERS_SIZE_MIN || size > REGISTERS_SIZE_MAX || size & (size - 1))
		wrong = "registers_size is no power of two from 4 KiB to 16 MiB";
	else if (knobs->registers_end > size || knobs->registers_end % 8)
		wrong = "registers_end is beyond registers_size, or no multiple of 8";
	else if (knobs->vectors > KNOBS_VECTORS_MAX || parser->model_entries > KNOBS_VECTORS_MAX)
		wrong = "vectors or entries are more than 2048";
	else if (knobs->table > ST_TABLE_MSIX)
		wrong = "there is no such table";
	else if (knobs->modes > 7 || (knobs->width != 8 && knobs->width != 16))
		wrong = "there are no such modes, or width is neither 8 nor 16";
	else if (knobs->class_code > 0xffffff)
		wrong = "class_code has more than 24 bits";
	return wrong ? refuse(parser, "model", knobs->model->name, "%s", wrong) : 0;
}

static int parse_all(struct parser *parser, const struct knobs_pair *pairs, size_t count)
{
	int ret = take_profile(parser, pairs, count);

	for (size_t i = 0; i < count && !ret; i++)
		ret = parse_pair(parser, pairs[i].key, pairs[i].value);
	return ret ? ret : check_whole(parser);
}

int knobs_take(struct knobs *knobs, const struct tph_emu_model *model,
	       const struct knobs_pair *pairs, size_t count, unsigned int number, char **error)
{
	struct parser parser = { .knobs = knobs, .error = error };
	int ret;

	take_defaults(&parser, model);
	if (asprintf(&knobs->name, "ep%u", number) < 0)
		abort();
	ret = check_defaults(&parser);
	if (!ret)
		ret = parse_all(&parser, pairs, count);
	if (ret)
		knobs_free(knobs);
	return ret;
}

int knobs_parse(struct knobs *knobs, const struct tph_emu_model *model, const char *text,
		unsigned int number, char **error)
{
	char *list = strdup(text), *rest = list, *item, *value;
	struct parser parser = { .error = error };
	struct knobs_pair *pairs;
	size_t count = 0;
	int ret = 0;

	pairs = calloc(strlen(text) / 2 + 1, sizeof(*pairs));
	if (!list || !pairs)
		abort();
	while (!ret && (item = strsep(&rest, ","))) {
		value = strchr(item, '=');
		if (!value) {
			ret = refuse(&parser, *item ? item : "an empty item", NULL, "not KEY=VALUE");
			break;
		}
		*value++ = '\0';
		pairs[count++] = (struct knobs_pair){ .key = item, .value = value };
	}
	if (!ret)
		ret = knobs_take(knobs, model, pairs, count, number, error);
	free(pairs);
	free(list);
	return ret;
}
