// SPDX-License-Identifier: GPL-2.0-only
/* Answers, notes and errors: text for people, JSON for programs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tphctl.h"

/*
 * The length of the printable character that @text begins with, in UTF-8 (RFC 3629); 0: it is none,
 * but a control character, such as a terminal goes by, or no UTF-8.
 */
static size_t character_length(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	unsigned char first = byte[0], low = 0x80, high = 0xbf;
	size_t length;

	if (first < 0x80)
		return first >= 0x20 && first != 0x7f;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xc2 || first == 0xe0)
		low = 0xa0;	/* below are controls; longer than need be */
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xed)
		high = 0x9f;	/* surrogates */
	else if (first == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (byte[i] < low || byte[i] > high)
			return 0;
	return length;
}

static uint32_t code_point(const char *text, size_t length)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = (unsigned char)text[0] & masks[length];

	for (size_t i = 1; i < length; i++)
		point = point << 6 | ((unsigned char)text[i] & 0x3f);
	return point;
}

/*
 * Whether a character is not seen, but changes what is seen of others, such as their order, or lets
 * two names look the same: Unicode's Default_Ignorable_Code_Point, and what ends lines or annotates.
 */
static bool is_unseen(uint32_t point)
{
	static const uint32_t ranges[][2] = {
		{ 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (point >= ranges[i][0] && point <= ranges[i][1])
			return true;
	return false;
}

/* As JSON has it (RFC 8259, 7): who reads the document gets the character. */
static void write_escaped(FILE *file, uint32_t point)
{
	if (point >= 0x10000) {
		point -= 0x10000;
		fprintf(file, "\\u%04x", 0xd800 | point >> 10);
		point = 0xdc00 | (point & 0x3ff);
	}
	fprintf(file, "\\u%04x", point);
}

/* what is written: several lines, one, or a document, in which a backslash is written twice */
enum layout {
	LINES,
	LINE,
	DOCUMENT,
};

/*
 * Nothing goes out but what can be read: names of drivers and processes, attributes of a tree that
 * somebody saved, and words of the command line can have any bytes.
 */
static void write_readable(FILE *file, const char *text, enum layout layout)
{
	while (*text) {
		size_t length = character_length(text);
		const uint32_t point = code_point(text, length);

		if (length && is_unseen(point) && layout == DOCUMENT)
			write_escaped(file, point);
		else if ((length && !is_unseen(point)) || (*text == '\n' && layout == LINES))
			fwrite(text, 1, length ? length : 1, file);
		else
			for (size_t i = 0; i < (length ? length : 1); i++)
				fprintf(file, "%s\\x%02x", layout == DOCUMENT ? "\\" : "",
					(unsigned char)text[i]);
		text += length ? length : 1;
	}
}

/** say() - print to standard output what people read; newlines are for the format alone. */
void say(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) >= 0) {
		write_readable(stdout, text, LINES);
		free(text);
	}
	va_end(arguments);
}

/**
 * fail() - tell what went wrong; printed when the command ends
 *
 * Return: @code.
 */
int fail(struct tphctl *ctl, int code, const char *thing, const char *value, const char *remedy,
	 const char *reason, ...)
{
	struct failure *failure = &ctl->failure;
	va_list arguments;

	failure->code = code;
	failure->thing = thing;
	snprintf(failure->value, sizeof(failure->value), "%s", value);
	snprintf(failure->remedy, sizeof(failure->remedy), "%s", remedy);
	va_start(arguments, reason);
	vsnprintf(failure->reason, sizeof(failure->reason), reason, arguments);
	va_end(arguments);
	return code;
}

/** add_reason() - go on with the reason of the failure told last. */
void add_reason(struct tphctl *ctl, const char *format, ...)
{
	struct failure *failure = &ctl->failure;
	size_t used = strlen(failure->reason);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure->reason + used, sizeof(failure->reason) - used, format, arguments);
	va_end(arguments);
}

/** exit_code_of() - the exit status that a negative errno stands for. */
int exit_code_of(int error)
{
	switch (-error) {
	case EPERM:
	case EACCES:
	case ENOKEY:
	case EKEYREJECTED:
		return TPHCTL_NOT_PERMITTED;
	case EOPNOTSUPP:
	case ENOTTY:
		return TPHCTL_UNSUPPORTED;
	default:
		return TPHCTL_FAILED;
	}
}

/** json_text() - a string, or null. */
struct json_object *json_text(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

/** answer_add() - put @value into the answer, which takes it over. */
void answer_add(struct tphctl *ctl, const char *key, struct json_object *value)
{
	json_object_object_add(ctl->answer, key, value);
}

/** note() - what the user should know, although nothing is wrong. */
void note(struct tphctl *ctl, const char *format, ...)
{
	struct json_object *notes;
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (!ctl->json) {
		fflush(stdout);
		fputs("tphctl: ", stderr);
		write_readable(stderr, text, LINE);
		fputc('\n', stderr);
		return;
	}
	if (!json_object_object_get_ex(ctl->answer, "notes", &notes)) {
		notes = json_object_new_array();
		answer_add(ctl, "notes", notes);
	}
	json_object_array_add(notes, json_object_new_string(text));
}

/** answer_begin() - a new answer to @invocation, or to words that are none if NULL. */
void answer_begin(struct tphctl *ctl, const struct invocation *invocation)
{
	memset(&ctl->failure, 0, sizeof(ctl->failure));
	ctl->streamed = false;
	ctl->answer = json_object_new_object();
	answer_add(ctl, "version", json_object_new_int(TPHCTL_JSON_VERSION));
	if (invocation && invocation->command)
		answer_add(ctl, "command", json_object_new_string(invocation->command->name));
}

/** failure_json() - what went wrong, as a member "error". */
struct json_object *failure_json(const struct failure *failure)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "exit", json_object_new_int(failure->code));
	json_object_object_add(object, "thing", json_object_new_string(failure->thing));
	json_object_object_add(object, "value", json_object_new_string(failure->value));
	json_object_object_add(object, "reason", json_object_new_string(failure->reason));
	json_object_object_add(object, "remedy", json_object_new_string(failure->remedy));
	return object;
}

static void add_failure(struct tphctl *ctl, const char *file, unsigned int line)
{
	struct json_object *object = failure_json(&ctl->failure);

	if (file) {
		json_object_object_add(object, "file", json_object_new_string(file));
		json_object_object_add(object, "line", json_object_new_int64(line));
	}
	answer_add(ctl, "error", object);
}

static void print_failure(const struct failure *failure, const char *file, unsigned int line)
{
	char text[sizeof(*failure) + 64];

	snprintf(text, sizeof(text), "%s %s: %s%s%s", failure->thing,
		 *failure->value ? failure->value : "\"\"", failure->reason, *failure->remedy ? "; " : "", failure->remedy);
	fflush(stdout);
	fputs("tphctl: ", stderr);
	if (file) {
		write_readable(stderr, file, LINE);
		fprintf(stderr, ":%u: ", line);
	}
	write_readable(stderr, text, LINE);
	fputc('\n', stderr);
}

/** failure_print() - tell people of it, before the command ends. */
void failure_print(const struct failure *failure)
{
	print_failure(failure, NULL, 0);
}

/** time_stamp() - now, as people and programs read it. */
void time_stamp(char *text, size_t size)
{
	struct timespec now;
	struct tm local;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &local);
	used += (size_t)snprintf(text + used, size - used, ".%03ld", now.tv_nsec / 1000000);
	strftime(text + used, size - used, "%z", &local);
}

/**
 * answer_renew() - begin the next document of a command that prints several
 * @stamp: from time_stamp(), or NULL
 */
void answer_renew(struct tphctl *ctl, const struct invocation *invocation, const char *device,
		  const char *stamp)
{
	json_object_put(ctl->answer);
	answer_begin(ctl, invocation);
	ctl->streamed = true;
	answer_add(ctl, "device", json_object_new_string(device));
	if (!stamp)
		return;
	if (ctl->line)
		answer_add(ctl, "line", json_object_new_int64(ctl->line));
	answer_add(ctl, "time", json_object_new_string(stamp));
}

/** answer_print() - print the answer as it is now, as a document of its own. */
void answer_print(struct tphctl *ctl)
{
	write_readable(stdout, json_object_to_json_string_ext(ctl->answer, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE),
		       DOCUMENT);
	putchar('\n');
}

/**
 * answer_end() - print the answer and the error
 * @code: what the command returned
 * @file: batch that the command came from, or NULL
 * @line: line in it
 */
void answer_end(struct tphctl *ctl, int code, const char *file, unsigned int line)
{
	if (ctl->json) {
		if (file)
			answer_add(ctl, "line", json_object_new_int64(line));
		if (code)
			add_failure(ctl, file, line);
		if (code || !ctl->streamed)
			answer_print(ctl);
	} else if (code) {
		print_failure(&ctl->failure, file, line);
	}
	/* Whoever feeds a batch through a pipe waits for this. */
	fflush(stdout);
	json_object_put(ctl->answer);
	ctl->answer = NULL;
}
