/* SPDX-License-Identifier: MIT */
/*
 * Where log and captures go: a file, or a pipe that somebody reads. It takes pieces (a line, a
 * packet), each of them whole or not at all, and nobody can make it wait for long.
 *
 * A full disk: the part of a piece that was written is taken back. A reader that does not read: its
 * pieces queue up here, and then it is waited for, SINK_PATIENCE_MS after the last that it took;
 * from there on pieces are refused at once, until it has read half of the queue.
 */
#ifndef EMU_SINK_H
#define EMU_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/loop.h"

#define SINK_QUEUE_SIZE	 (1u << 20)
#define SINK_PATIENCE_MS 200

/**
 * struct sink - a file or a pipe
 * @fd: the descriptor; -1: what is put is thrown away
 * @file: a regular file, of which the end can be cut off
 * @own: opened by us, not inherited: to be emptied
 * @read: somebody reads what is written, and can be slow
 * @shared: others use the same open description, so it may block
 * @stuck: the reader has been waited for in vain
 * @gone: the reader has left
 * @queue: pieces that were not taken yet, each behind its size; a ring of @room bytes
 * @head: where the first of them begins
 * @used: bytes
 * @done: bytes of the first one that are written
 * @pieces: how many there are
 * @loop: waits for the reader; NULL without one (tests of single parts)
 * @stop_fd: a wait ends when it can be read, -1 for none
 * @broken: called when the reader has left; may be NULL
 */
struct sink {
	int fd;
	bool file;
	bool own;
	bool read;
	bool shared;
	bool stuck;
	bool gone;
	uint8_t *queue;
	size_t room;
	size_t head;
	size_t used;
	size_t done;
	size_t pieces;
	struct loop *loop;
	struct watch watch;
	int stop_fd;
	void (*broken)(struct sink *sink);
	void *owner;
};

/**
 * sink_open() - take hold of a file, and change nothing in it
 * @path: file, created if there is none; "-" is standard output
 *
 * Return: 0; -EBUSY: a sink (of another process, or of this one) has it; else -errno.
 */
int sink_open(struct sink *sink, const char *path);

/**
 * sink_start() - empty the file and be ready for pieces
 *
 * Return: 0 or -errno.
 */
int sink_start(struct sink *sink, struct loop *loop, int stop_fd);

/**
 * sink_put() - append a piece
 *
 * Return: 0; -EAGAIN: the reader is stuck; -EPIPE: it has left; else -errno, and nothing of the
 * piece is there.
 */
int sink_put(struct sink *sink, const void *piece, size_t size);

/**
 * sink_flush() - let the reader take all
 * @deadline_ms: until when it is waited for, on loop_now()'s clock
 *
 * Return: pieces that it has not taken.
 */
size_t sink_flush(struct sink *sink, int64_t deadline_ms);

/** sink_close() - sink_flush(), then close it. Return: likewise. */
size_t sink_close(struct sink *sink, int64_t deadline_ms);

#endif /* EMU_SINK_H */
