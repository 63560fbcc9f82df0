// SPDX-License-Identifier: MIT
#include "log.h"

#include <errno.h>
#include <stdio.h>
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

static void begin(struct line *line, const char *event, uint64_t seq)
{
	line_begin(line);
	line_string(line, "event", event);
	line_number(line, "seq", seq);
}

struct line *log_event(struct log *log, const char *event, const char *function)
{
	struct line *line = &log->line;

	log->seq++;
	if (log->sink.fd < 0)
		return NULL;
	begin(line, event, log->seq);
	if (function)
		line_string(line, "function", function);
	return line;
}

static int put(struct log *log, const struct line *line)
{
	int ret = sink_put(&log->sink, line->text, line->length);

	if (!ret)
		log->written += line->length;
	return ret;
}

/* A line about the log itself: it has the number of the last line that it speaks of. */
static int put_note(struct log *log, const char *event, uint64_t seq, const char *key,
		    uint64_t value)
{
	struct line note = { 0 };
	int ret;

	begin(&note, event, seq);
	line_number(&note, key, value);
	line_end(&note);
	ret = put(log, &note);
	line_free(&note);
	return ret;
}

static int put_gap(struct log *log, uint64_t seq)
{
	int ret = put_note(log, "lost", seq, "lines", log->gap);

	if (!ret)
		log->gap = 0;
	return ret;
}

static bool within_limit(struct log *log, const struct line *line)
{
	if (!log->limit || log->full)
		return !log->full;
	if (log->written + line->length + 2 * LIMIT_LINE <= log->limit)
		return true;
	log->full = true;
	put_note(log, "limit", log->seq, "bytes", log->limit);
	return false;
}

void log_write(struct log *log, struct line *line)
{
	int ret = 0;

	if (!line)
		return;
	line_end(line);
	if (!within_limit(log, line))
		ret = -EOVERFLOW;
	if (!ret && log->gap)
		ret = put_gap(log, log->seq - 1);
	if (!ret)
		ret = put(log, line);
	if (!ret)
		return;
	log->gap++;
	log->lost++;
	fail(log, -ret);
}

bool log_flush(struct log *log, int64_t deadline_ms)
{
	return !sink_flush(&log->sink, deadline_ms);
}

void log_close(struct log *log, int64_t deadline_ms)
{
	bool gone;
	size_t left;

	line_free(&log->line);
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
