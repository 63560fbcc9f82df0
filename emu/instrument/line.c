// SPDX-License-Identifier: MIT
#include "line.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST   512u
#define DIGITS_MAX   20u /* of 64 bits, decimal */
#define ESCAPED_MAX  6u	 /* bytes that one of a string may become */

static const char hex_digits[] = "0123456789abcdef";

/* Room for @more bytes. Without memory there is no log that anybody could trust. */
static char *reserve(struct line *line, size_t more)
{
	if (line->room - line->length < more) {
		line->room = 2 * line->room + more + ROOM_FIRST;
		line->text = realloc(line->text, line->room);
		if (!line->text)
			abort();
	}
	return line->text + line->length;
}

static void add(struct line *line, const char *bytes, size_t size)
{
	memcpy(reserve(line, size), bytes, size);
	line->length += size;
}

static void add_byte(struct line *line, char byte)
{
	*reserve(line, 1) = byte;
	line->length++;
}

/* The comma before it, if it is not the first, and its key. */
static void add_key(struct line *line, const char *key)
{
	const char last = line->text[line->length - 1];

	if (last != '{' && last != '[')
		add_byte(line, ',');
	if (!key)
		return;
	add_byte(line, '"');
	add(line, key, strlen(key));
	add(line, "\":", 2);
}

void line_begin(struct line *line)
{
	if (!line)
		return;
	line->length = 0;
	add_byte(line, '{');
}

void line_end(struct line *line)
{
	if (line)
		add(line, "}\n", 2);
}

void line_free(struct line *line)
{
	free(line->text);
	*line = (struct line){ 0 };
}

static size_t escape(char *to, unsigned char byte)
{
	static const char letters[] = "\b\f\n\r\t\"\\";
	static const char escapes[] = "bfnrt\"\\";
	const char *found = byte ? strchr(letters, byte) : NULL;

	if (byte >= 0x20 && !found) {
		*to = (char)byte;
		return 1;
	}
	to[0] = '\\';
	if (found) {
		to[1] = escapes[found - letters];
		return 2;
	}
	memcpy(to + 1, "u00", 3);
	to[4] = hex_digits[byte >> 4];
	to[5] = hex_digits[byte & 15];
	return ESCAPED_MAX;
}

void line_string(struct line *line, const char *key, const char *value)
{
	char *to;

	if (!line)
		return;
	add_key(line, key);
	to = reserve(line, ESCAPED_MAX * strlen(value) + 2);
	*to++ = '"';
	while (*value)
		to += escape(to, (unsigned char)*value++);
	*to++ = '"';
	line->length = (size_t)(to - line->text);
}

void line_number(struct line *line, const char *key, uint64_t value)
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	if (!line)
		return;
	add_key(line, key);
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	add(line, digits + at, DIGITS_MAX - at);
}

void line_hex(struct line *line, const char *key, uint64_t value, unsigned int least)
{
	char digits[16];
	size_t at = sizeof(digits);

	if (!line)
		return;
	add_key(line, key);
	do
		digits[--at] = hex_digits[value & 15];
	while ((value >>= 4) || sizeof(digits) - at < least);
	add(line, "\"0x", 3);
	add(line, digits + at, sizeof(digits) - at);
	add_byte(line, '"');
}

void line_flag(struct line *line, const char *key, bool value)
{
	if (!line)
		return;
	add_key(line, key);
	if (value)
		add(line, "true", 4);
	else
		add(line, "false", 5);
}

void line_open(struct line *line, const char *key)
{
	if (!line)
		return;
	add_key(line, key);
	add_byte(line, '{');
}

void line_close(struct line *line)
{
	if (line)
		add_byte(line, '}');
}

void line_open_array(struct line *line, const char *key)
{
	if (!line)
		return;
	add_key(line, key);
	add_byte(line, '[');
}

void line_close_array(struct line *line)
{
	if (line)
		add_byte(line, ']');
}
