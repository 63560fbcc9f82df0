// SPDX-License-Identifier: GPL-2.0-only
/* Operands of commands: see operand.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "operand.h"

#define LENGTH(array)	(sizeof(array) / sizeof(*(array)))

static const struct {
	const char *name, *title;
	enum tph_mode mode;
} modes[] = {
	{ "no-st", "No ST", TPH_MODE_NO_ST },
	{ "iv", "Interrupt Vector", TPH_MODE_INTERRUPT_VECTOR },
	{ "ds", "Device Specific", TPH_MODE_DEVICE_SPECIFIC },
};

static const struct {
	const char *name;
	enum tph_width width;
} widths[] = {
	{ "8", TPH_WIDTH_8 },
	{ "16", TPH_WIDTH_16 },
	{ "widest", TPH_WIDTH_WIDEST },
};

/* Digits of @text up to @end, and nothing else. */
static bool digits_parse(const char *text, const char *end, uint32_t most, uint32_t *number)
{
	uint64_t value = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > most)
			return false;
	}
	*number = (uint32_t)value;
	return true;
}

/** number_parse() - a decimal number without sign, 0 .. @most. */
bool number_parse(const char *text, uint32_t most, uint32_t *number)
{
	return digits_parse(text, text + strlen(text), most, number);
}

static bool range_parse_until(const char *text, const char *end, uint32_t *first, uint32_t *last)
{
	const char *dash = memchr(text, '-', (size_t)(end - text));

	if (!dash) {
		if (!digits_parse(text, end, TPH_ENTRIES_MAX - 1, first))
			return false;
		*last = *first;
		return true;
	}
	return digits_parse(text, dash, TPH_ENTRIES_MAX - 1, first) &&
	       digits_parse(dash + 1, end, TPH_ENTRIES_MAX - 1, last) && *first <= *last;
}

/** range_parse() - INDEX or INDEX-INDEX. */
bool range_parse(const char *text, uint32_t *first, uint32_t *last)
{
	return range_parse_until(text, text + strlen(text), first, last);
}

static const char *item_parse(const char *text, const char *end, struct assignment *assignment)
{
	const char *equals = memchr(text, '=', (size_t)(end - text));
	uint32_t first, last, cpu;

	if (text == end)
		return *end ? "there is nothing before a comma" : "a comma ends it";
	if (!equals)
		return "it is not of the form INDEX=CPU or INDEX-INDEX=CPU";
	if (!range_parse_until(text, equals, &first, &last))
		return "the index is not a number from 0 to 2047, nor a rising range of such";
	if (end - equals - 1 == 4 && !memcmp(equals + 1, "none", 4))
		cpu = TPH_CPU_NONE;
	else if (!digits_parse(equals + 1, end, TPH_CPU_NONE - 1, &cpu))
		return "the CPU is neither a number nor none";
	for (uint32_t i = first; i <= last; i++) {
		if (assignment->named[i])
			return "the entry is named twice";
		assignment->named[i] = true;
		assignment->cpu[i] = cpu;
	}
	return NULL;
}

/**
 * assignment_parse() - INDEX[-INDEX]=CPU, separated by commas
 * @item: receives the item at fault
 * @size: of @item
 *
 * Return: NULL, or what is wrong with it.
 */
const char *assignment_parse(const char *text, struct assignment *assignment, char *item,
			     size_t size)
{
	const char *whole = text;

	memset(assignment, 0, sizeof(*assignment));
	for (;;) {
		const char *end = text + strcspn(text, ",");
		const char *wrong = item_parse(text, end, assignment);

		if (wrong) {
			if (text == end)	/* of nothing there is no name */
				snprintf(item, size, "%s", whole);
			else
				snprintf(item, size, "%.*s", (int)(end - text), text);
			return wrong;
		}
		if (!*end)
			return NULL;
		text = end + 1;
	}
}

/** uuid_check() - whether it is written as bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3. */
bool uuid_check(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	return !text[sizeof(form) - 1];
}

/** mode_parse() - no-st, iv or ds. */
bool mode_parse(const char *text, enum tph_mode *mode)
{
	for (size_t i = 0; i < LENGTH(modes); i++) {
		if (strcmp(text, modes[i].name))
			continue;
		*mode = modes[i].mode;
		return true;
	}
	return false;
}

/** width_parse() - 8, 16 or widest. */
bool width_parse(const char *text, enum tph_width *width)
{
	for (size_t i = 0; i < LENGTH(widths); i++) {
		if (strcmp(text, widths[i].name))
			continue;
		*width = widths[i].width;
		return true;
	}
	return false;
}

/** mode_name() - as the user writes it; NULL for a reserved mode. */
const char *mode_name(enum tph_mode mode)
{
	return mode < LENGTH(modes) ? modes[mode].name : NULL;
}

/** mode_title() - as the specification writes it; NULL for a reserved mode. */
const char *mode_title(enum tph_mode mode)
{
	return mode < LENGTH(modes) ? modes[mode].title : NULL;
}
