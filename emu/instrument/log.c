// SPDX-License-Identifier: MIT
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_LINE 128u /* room for the line that ends a log at its limit */

int log_open(struct log *log, const char *path, uint64_t limit, bool verbose)
{
	*log = (struct log){ .name = path, .limit = limit, .verbose = verbose };
	return sink_open(&log->sink, path);
}

const char *log_strerror(int error)
{
	switch (error) {
	case EAGAIN:
		return "its reader does not read, or not fast enough";
	case EPIPE:
		return "its reader has gone";
	case EOVERFLOW:
		return "it has reached --log-limit";
	default:
		return strerror(error);
	}
}

static void fail(struct log *log, int error)
{
	if (log->error)
		return;
	log->error = error;
	fprintf(stderr, "tph-emu: log %s: %s; lines are missing from here on\n", log->name,
		log_strerror(error));
}

/* A run that nobody can judge any more is not worth going on. */
static void reader_left(struct sink *sink)
{
	struct log *log = sink->owner;

	fail(log, EPIPE);
	log->loop->stop = true;
}

int log_start(struct log *log, struct loop *loop, int stop_fd)
{
	log->loop = loop;
	log->sink.owner = log;
	log->sink.broken = reader_left;
	return sink_start(&log->sink, loop, stop_fd);
}

struct json_object *log_event(struct log *log, const char *event, const char *function)
{
	struct json_object *line;

	log->seq++;
	if (log->sink.fd < 0)
		return NULL;
	line = json_object_new_object();
	log_string(line, "event", event);
	log_number(line, "seq", log->seq);
	if (function)
		log_string(line, "function", function);
	return line;
}

static int put(struct log *log, struct json_object *line)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	char *whole = malloc(length + 1);
	int ret;

	if (!whole)
		return -ENOMEM;
	memcpy(whole, text, length);
	whole[length++] = '\n';
	ret = sink_put(&log->sink, whole, length);
	if (!ret)
		log->written += length;
	free(whole);
	return ret;
}

/* A line about the log itself: it has the number of the last line that it speaks of. */
static int put_note(struct log *log, const char *event, uint64_t seq, const char *key,
		    uint64_t value)
{
	struct json_object *line = json_object_new_object();
	int ret;

	log_string(line, "event", event);
	log_number(line, "seq", seq);
	log_number(line, key, value);
	ret = put(log, line);
	json_object_put(line);
	return ret;
}

static int put_gap(struct log *log, uint64_t seq)
{
	int ret = put_note(log, "lost", seq, "lines", log->gap);

	if (!ret)
		log->gap = 0;
	return ret;
}

static bool within_limit(struct log *log, struct json_object *line)
{
	size_t length;

	if (!log->limit || log->full)
		return !log->full;
	json_object_to_json_string_length(
		line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	if (log->written + length + 2 * LIMIT_LINE <= log->limit)
		return true;
	log->full = true;
	put_note(log, "limit", log->seq, "bytes", log->limit);
	return false;
}

void log_write(struct log *log, struct json_object *line)
{
	int ret = 0;

	if (!line)
		return;
	if (!within_limit(log, line))
		ret = -EOVERFLOW;
	if (!ret && log->gap)
		ret = put_gap(log, log->seq - 1);
	if (!ret)
		ret = put(log, line);
	if (ret) {
		log->gap++;
		log->lost++;
		fail(log, -ret);
	}
	json_object_put(line);
}

bool log_flush(struct log *log, int64_t deadline_ms)
{
	return !sink_flush(&log->sink, deadline_ms);
}

void log_close(struct log *log, int64_t deadline_ms)
{
	bool gone;
	size_t left;

	if (log->sink.fd < 0)
		return;
	if (log->gap && !log->full)
		put_gap(log, log->seq);
	gone = log->sink.gone;
	left = sink_close(&log->sink, deadline_ms);
	log->lost += left;
	if (left)
		fail(log, gone ? EPIPE : EAGAIN);
}

void log_string(struct json_object *line, const char *key, const char *value)
{
	if (line)
		json_object_object_add(line, key, json_object_new_string(value));
}

void log_number(struct json_object *line, const char *key, uint64_t value)
{
	if (line)
		json_object_object_add(line, key, json_object_new_int64((int64_t)value));
}

void log_hex(struct json_object *line, const char *key, uint64_t value, int digits)
{
	char text[24];

	if (!line)
		return;
	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	log_string(line, key, text);
}

void log_flag(struct json_object *line, const char *key, bool value)
{
	if (line)
		json_object_object_add(line, key, json_object_new_boolean(value));
}
