/* SPDX-License-Identifier: MIT */
/*
 * One line of the log: a JSON object, written as it is filled. There are millions of them, so none is
 * built as a tree first; nothing is looked up in one, and it keeps its memory for the next.
 */
#ifndef EMU_LINE_H
#define EMU_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct line - @text: @length bytes of @room, without a NUL; all zeros to begin with */
struct line {
	char *text;
	size_t length;
	size_t room;
};

/* Of all functions below a line may be NULL: then nobody wants it. Keys are not escaped. */

/** line_begin() - an object without fields. */
void line_begin(struct line *line);

/** line_end() - the end of the object, and of the line. */
void line_end(struct line *line);

/** line_free() - free it. */
void line_free(struct line *line);

/** line_string() - add a field with a string, UTF-8. */
void line_string(struct line *line, const char *key, const char *value);

/** line_number() - add an unsigned decimal field. */
void line_number(struct line *line, const char *key, uint64_t value);

/** line_hex() - add a field "0x..." of at least @digits digits, 16 at most. */
void line_hex(struct line *line, const char *key, uint64_t value, unsigned int digits);

/** line_flag() - add a field that is true or false. */
void line_flag(struct line *line, const char *key, bool value);

/** line_open() - begin a field that is an object, or an element of an array if @key is NULL. */
void line_open(struct line *line, const char *key);

/** line_close() - end it. */
void line_close(struct line *line);

/** line_open_array() - begin a field that is an array. */
void line_open_array(struct line *line, const char *key);

/** line_close_array() - end it. */
void line_close_array(struct line *line);

#endif /* EMU_LINE_H */
