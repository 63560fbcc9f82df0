// SPDX-License-Identifier: MIT
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int log_open(struct log *log, const char *path, bool verbose)
{
	*log = (struct log){ .fd = -1, .verbose = verbose };
	if (!strcmp(path, "-"))
		log->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		log->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	return log->fd < 0 ? -errno : 0;
}

void log_close(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

struct json_object *log_event(struct log *log, const char *event, const char *function)
{
	struct json_object *line = json_object_new_object();

	log_string(line, "event", event);
	log_number(line, "seq", ++log->seq);
	if (function)
		log_string(line, "function", function);
	return line;
}

void log_write(struct log *log, struct json_object *line)
{
	const char *text;
	size_t length, done = 0;
	char *whole;

	if (log->fd < 0)
		goto out;
	text = json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	whole = malloc(length + 1);
	if (!whole) {
		log->error = log->error ? log->error : ENOMEM;
		goto out;
	}
	memcpy(whole, text, length);
	whole[length++] = '\n';

	/* One write per line: a reader never sees half of one. The loop is for full disks. */
	while (done < length) {
		ssize_t n = write(log->fd, whole + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			log->error = log->error ? log->error : errno;
			break;
		}
		done += (size_t)n;
	}
	free(whole);
out:
	json_object_put(line);
}

void log_string(struct json_object *line, const char *key, const char *value)
{
	json_object_object_add(line, key, json_object_new_string(value));
}

void log_number(struct json_object *line, const char *key, uint64_t value)
{
	json_object_object_add(line, key, json_object_new_int64((int64_t)value));
}

void log_hex(struct json_object *line, const char *key, uint64_t value, int digits)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	log_string(line, key, text);
}

void log_flag(struct json_object *line, const char *key, bool value)
{
	json_object_object_add(line, key, json_object_new_boolean(value));
}
