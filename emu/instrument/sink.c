// SPDX-License-Identifier: MIT
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES_AT_ONCE 32 /* then it is clients' turn */

static int open_path(struct sink *sink, const char *path)
{
	char self[32];

	if (strcmp(path, "-")) {
		sink->own = true;
		return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	}
	/* An open description of our own can be nonblocking without others noticing. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", STDOUT_FILENO);
	sink->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return sink->fd;
}

/* Pipes and terminals again, so that they are nonblocking for us alone. */
static void unshare(struct sink *sink)
{
	char path[32];
	int fd;

	if (sink->own) {
		fcntl(sink->fd, F_SETFL, fcntl(sink->fd, F_GETFL) | O_NONBLOCK);
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sink->fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	sink->shared = fd < 0;
	if (fd < 0)
		return;
	close(sink->fd);
	sink->fd = fd;
}

int sink_open(struct sink *sink, const char *path)
{
	struct stat status;
	int ret;

	*sink = (struct sink){ .fd = -1, .stop_fd = -1 };
	sink->fd = open_path(sink, path);
	if (sink->fd < 0)
		return -errno;
	if (fstat(sink->fd, &status)) {
		ret = -errno;
		goto err_close;
	}
	sink->file = S_ISREG(status.st_mode);
	sink->read = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(sink->fd);
	/* Where a file system knows no locks there are none. */
	if (sink->file && sink->own && flock(sink->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		ret = -EBUSY;
		goto err_close;
	}
	if (!sink->read)
		return 0;
	unshare(sink);
	sink->room = SINK_QUEUE_SIZE;
	sink->queue = malloc(sink->room);
	if (!sink->queue) {
		ret = -ENOMEM;
		goto err_close;
	}
	return 0;

err_close:
	close(sink->fd);
	sink->fd = -1;
	return ret;
}

/* Takes back what was written of a piece that there was no room for. */
static void cut(struct sink *sink, size_t done)
{
	const off_t end = lseek(sink->fd, 0, SEEK_CUR);
	struct stat status;

	/* Not what others wrote behind it. */
	if (!done || !sink->file || end < (off_t)done || fstat(sink->fd, &status) ||
	    status.st_size != end)
		return;
	if (!ftruncate(sink->fd, end - (off_t)done))
		lseek(sink->fd, end - (off_t)done, SEEK_SET);
}

/* One write for a piece: who reads along never sees half of it. The loop is for full disks. */
static int write_file(struct sink *sink, const uint8_t *piece, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(sink->fd, piece + done, size - done);

		if (n < 0 && errno != EINTR) {
			int ret = -errno;

			cut(sink, done);
			return ret;
		}
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* ---- a reader ---- */

static bool writable(const struct sink *sink, int64_t ms)
{
	struct pollfd fds[] = { { .fd = sink->fd, .events = POLLOUT },
				{ .fd = sink->stop_fd, .events = POLLIN } };

	return poll(fds, 2, (int)ms) > 0 && fds[0].revents && !fds[1].revents;
}

static void copy_in(struct sink *sink, const void *data, size_t size)
{
	const size_t at = (sink->head + sink->used) % sink->room;
	const size_t first = size < sink->room - at ? size : sink->room - at;

	memcpy(sink->queue + at, data, first);
	memcpy(sink->queue, (const uint8_t *)data + first, size - first);
	sink->used += size;
}

static uint32_t first_size(const struct sink *sink)
{
	uint8_t bytes[sizeof(uint32_t)];
	uint32_t size;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = sink->queue[(sink->head + i) % sink->room];
	memcpy(&size, bytes, sizeof(size));
	return size;
}

/* Writes more of the first piece. Return: whether it is written whole. */
static bool write_first(struct sink *sink)
{
	const uint32_t size = first_size(sink);
	const size_t at = (sink->head + sizeof(size) + sink->done) % sink->room;
	size_t left = size - sink->done, first;
	struct iovec parts[2];
	ssize_t n;

	/* A pipe that polls as writable takes so much without blocking. */
	if (sink->shared) {
		if (!writable(sink, 0))
			return false;
		left = left < PIPE_BUF ? left : PIPE_BUF;
	}
	first = left < sink->room - at ? left : sink->room - at;
	parts[0] = (struct iovec){ sink->queue + at, first };
	parts[1] = (struct iovec){ sink->queue, left - first };
	n = writev(sink->fd, parts, 2);
	if (n < 0) {
		sink->gone = errno != EAGAIN && errno != EINTR;
		return false;
	}
	sink->done += (size_t)n;
	if (sink->done < size)
		return sink->shared && n == (ssize_t)left ? write_first(sink) : false;
	sink->head = (sink->head + sizeof(size) + size) % sink->room;
	sink->used -= sizeof(size) + size;
	sink->done = 0;
	sink->pieces--;
	if (sink->used < sink->room / 2)
		sink->stuck = false;
	return true;
}

static void write_all(struct sink *sink)
{
	while (sink->used && !sink->gone && write_first(sink))
		;
}

static void leave(struct sink *sink)
{
	if (sink->loop)
		loop_remove(sink->loop, &sink->watch);
	sink->loop = NULL;
	if (sink->broken)
		sink->broken(sink);
	sink->broken = NULL;
}

static void await(struct sink *sink)
{
	if (sink->loop)
		loop_change(sink->loop, &sink->watch, sink->used ? EPOLLOUT : 0);
}

static void reader_ready(struct watch *watch, uint32_t events)
{
	struct sink *sink = watch->owner;

	sink->gone |= !!(events & (EPOLLERR | EPOLLHUP));
	for (int i = 0; i < PIECES_AT_ONCE && sink->used && !sink->gone && write_first(sink); i++)
		;
	if (sink->gone)
		leave(sink);
	else if (!sink->used)
		await(sink);
}

static bool has_room(const struct sink *sink, size_t size)
{
	return sizeof(uint32_t) + size <= sink->room - sink->used;
}

/* Waits for a reader that goes on reading, and not for long for another. */
static bool make_room(struct sink *sink, size_t size)
{
	int64_t until = loop_now() + SINK_PATIENCE_MS;

	while (!has_room(sink, size) && !sink->gone) {
		const int64_t left = until - loop_now();

		if (!writable(sink, left > 0 ? left : 0))
			return false;
		write_all(sink);
		until = loop_now() + SINK_PATIENCE_MS;
	}
	return !sink->gone;
}

/* A piece that is larger than the queue (the summary of many functions) gets a queue to fit. */
static bool grow(struct sink *sink, size_t size)
{
	const size_t room = sink->used + sizeof(uint32_t) + size;
	const size_t first = sink->used < sink->room - sink->head ? sink->used :
							       sink->room - sink->head;
	uint8_t *queue;

	if (sizeof(uint32_t) + size <= sink->room)
		return true;
	queue = malloc(room);
	if (!queue)
		return false;
	memcpy(queue, sink->queue + sink->head, first);
	memcpy(queue + first, sink->queue, sink->used - first);
	free(sink->queue);
	sink->queue = queue;
	sink->room = room;
	sink->head = 0;
	return true;
}

static int put_queue(struct sink *sink, const void *piece, size_t size)
{
	const uint32_t length = (uint32_t)size;

	if (size > UINT32_MAX || !grow(sink, size))
		return -ENOMEM;
	if (!sink->stuck && !sink->gone && !has_room(sink, size))
		sink->stuck = !make_room(sink, size);
	if (sink->gone) {
		leave(sink);
		return -EPIPE;
	}
	if (sink->stuck)
		return -EAGAIN;
	copy_in(sink, &length, sizeof(length));
	copy_in(sink, piece, size);
	if (sink->pieces++)
		return 0;
	write_all(sink);
	if (sink->gone) {
		leave(sink);
		return -EPIPE;
	}
	if (sink->used)
		await(sink);
	return 0;
}

/* ---- */

int sink_start(struct sink *sink, struct loop *loop, int stop_fd)
{
	int ret;

	sink->stop_fd = stop_fd;
	if (sink->file && sink->own && ftruncate(sink->fd, 0))
		return -errno;
	if (!sink->read || !loop)
		return 0;
	sink->watch = (struct watch){ .fd = sink->fd, .ready = reader_ready, .owner = sink };
	ret = loop_add(loop, &sink->watch, 0);
	if (!ret)
		sink->loop = loop;
	return ret;
}

int sink_put(struct sink *sink, const void *piece, size_t size)
{
	if (sink->fd < 0)
		return 0;
	return sink->read ? put_queue(sink, piece, size) : write_file(sink, piece, size);
}

size_t sink_flush(struct sink *sink, int64_t deadline_ms)
{
	/* whoever calls this has been told to stop */
	sink->stop_fd = -1;
	for (int64_t left = 1; sink->used && !sink->gone && left > 0;
	     left = deadline_ms - loop_now())
		if (writable(sink, left))
			write_all(sink);
	return sink->pieces;
}

size_t sink_close(struct sink *sink, int64_t deadline_ms)
{
	size_t left;

	if (sink->fd < 0)
		return 0;
	left = sink_flush(sink, deadline_ms);
	if (sink->loop)
		loop_remove(sink->loop, &sink->watch);
	close(sink->fd);
	free(sink->queue);
	*sink = (struct sink){ .fd = -1, .stop_fd = -1 };
	return left;
}
