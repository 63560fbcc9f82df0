// SPDX-License-Identifier: MIT
#include "dump.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/file.h"
#include "host/reason.h"

#define FILE_MAX (1 << 20)
#define ROW	 16u

/* A digit as lspci prints them. Return: -1 if it is none. */
static int hex(char character)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = character ? strchr(digits, character) : NULL;

	return found ? (int)(found - digits) : -1;
}

static int byte(const char *text)
{
	return hex(text[0]) < 0 || hex(text[1]) < 0 ? -1 : hex(text[0]) << 4 | hex(text[1]);
}

/* "00: 86 80 ..", from 0x100 on with three digits. Return: the bytes in it; 0: it is something else. */
static unsigned int parse_row(const char *line, struct profile *profile)
{
	const size_t digits = strspn(line, "0123456789abcdef");
	uint8_t bytes[ROW];
	unsigned int count = 0;
	size_t at = 0;

	if ((digits != 2 && digits != 3) || strncmp(line + digits, ": ", 2))
		return 0;
	for (size_t i = 0; i < digits; i++)
		at = at << 4 | (size_t)hex(line[i]);
	for (line += digits + 1; *line == ' ' && count < ROW && byte(line + 1) >= 0; line += 3)
		bytes[count++] = (uint8_t)byte(line + 1);
	if (*line || !count || at % ROW || at + count > CONFIG_SPACE_SIZE)
		return 0;
	memcpy(profile->bytes + at, bytes, count);
	if (at + count > profile->size)
		profile->size = at + count;
	return count;
}

/* "00:1c.0 ..." or "0000:00:1c.0 ...": where a function begins */
static bool is_address(const char *line)
{
	const size_t domain = strspn(line, "0123456789abcdef");

	if (domain >= 4 && line[domain] == ':')
		line += domain + 1;
	return byte(line) >= 0 && line[2] == ':' && byte(line + 3) >= 0 && line[5] == '.' &&
	       line[6] >= '0' && line[6] <= '7' && (line[7] == ' ' || !line[7]);
}

/* "Region 0: Memory at f0000000 (64-bit, prefetchable) [size=64K]" */
static void parse_region(const char *line, struct profile *profile)
{
	const char *size = strstr(line, "[size=");
	unsigned long long bytes;
	unsigned int bar;
	char unit = '\0';

	line += strspn(line, " \t");
	if (sscanf(line, "Region %u: Memory", &bar) != 1 || bar >= KNOBS_BARS || !size ||
	    sscanf(size, "[size=%llu%c", &bytes, &unit) < 1)
		return;
	bytes <<= unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
	if (bytes && !(bytes & (bytes - 1)))
		profile->bar_size[bar] = bytes;
}

static int parse_text(char *text, struct profile *profile, char **error)
{
	unsigned int functions = 0, rows = 0;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line[strcspn(line, "\r")] = '\0';
		if (is_address(line) && ++functions > 1)
			return reason_give(error, "it has more than one function; give what lspci -s "
				      "prints of one");
		if (parse_row(line, profile))
			rows++;
		else
			parse_region(line, profile);
	}
	if (!rows)
		return reason_give(error, "it has no line of bytes as lspci -xxxx prints them, nor 256 or "
			      "4096 bytes");
	if (profile->size <= 64)
		return reason_give(error, "it has the header alone; give lspci -xxxx, as root");
	profile->size = profile->size > PROFILE_CONVENTIONAL_SIZE ? CONFIG_SPACE_SIZE :
								    PROFILE_CONVENTIONAL_SIZE;
	return 0;
}

struct profile *dump_read(const char *path, char **error)
{
	struct profile *profile = calloc(1, sizeof(*profile));
	char *text, why[256];
	size_t size;
	int ret = -1;

	if (!profile)
		abort();
	text = file_read(path, FILE_MAX, &size, error);
	if (text && memchr(text, '\0', size) &&
	    (size == PROFILE_CONVENTIONAL_SIZE || size == CONFIG_SPACE_SIZE)) {
		memcpy(profile->bytes, text, size);
		profile->size = size;
		ret = 0;
	} else if (text) {
		ret = parse_text(text, profile, error);
	}
	free(text);
	if (!ret) {
		snprintf(profile->path, sizeof(profile->path), "%s", path);
		ret = profile_read(profile, why, sizeof(why));
		if (ret)
			reason_give(error, "%s", why);
	}
	if (!ret)
		return profile;
	free(profile);
	return NULL;
}
