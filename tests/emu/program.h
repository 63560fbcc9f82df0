/* SPDX-License-Identifier: MIT */
/* Runs tph-emu as its users do, and reads the log that it leaves. */
#ifndef TESTS_EMU_PROGRAM_H
#define TESTS_EMU_PROGRAM_H

#include "harness.h"

#include <sys/resource.h>
#include <sys/types.h>

#include <json-c/json.h>

/** program - path of tph-emu; program_fd_limit - of descriptors, if set, for the next one run */
extern const char *program;
extern struct rlimit program_fd_limit;

/** struct emulator - one run of the program, with two functions, f0 and f1 */
struct emulator {
	char directory[32];
	char socket[2][64];
	char log[64];
	char errors[64];
	pid_t pid;
	unsigned int idle_fds;
};

/** spawn() - run a program; @errors: file for what it says; @keep_fd: its descriptor 3, or -1. */
pid_t spawn(char *const argv[], const char *errors, int keep_fd);

/** finish() - wait for its end. Return: exit status; 1000 and the signal that ended it. */
int finish(pid_t pid);

/** finish_within() - likewise, and tell how many ms it took. */
int finish_within(pid_t pid, int64_t ms, int64_t *took);

/** slurp() - a file as a string, to be freed. */
char *slurp(const char *path);

/** open_fds() - how many descriptors a process has open, and a few. */
unsigned int open_fds(pid_t pid);

/**
 * open_fds_soon() - likewise, when there are @want of them, or after a while: what a client gave is
 * closed by another process.
 */
unsigned int open_fds_soon(pid_t pid, unsigned int want);

/** emulator_place() - a folder of its own, and names in it. */
void emulator_place(struct emulator *e);

/** emulator_run() - start it there; @more: keys of f1; @option, @value: one more option, or NULL. */
void emulator_run(struct emulator *e, const char *more, char *option, char *value);

/** emulator_start() - both. */
void emulator_start(struct emulator *e, const char *more);

/**
 * emulator_stop() - end it, and check that it ended well: no sanitizer and nobody else had anything
 * to say. Return: 0, or what was wrong.
 */
int emulator_stop(struct emulator *e);

/** emulator_remove() - remove its folder. */
void emulator_remove(struct emulator *e);

/** log_lines() - every line of a log, up to NULL; a line that is torn fails the test. */
struct json_object **log_lines(const char *text);

/** lines_free() - free them. */
void lines_free(struct json_object **lines);

/** number() - a field that is a number, -1 without. */
int64_t number(struct json_object *object, const char *key);

/** word() - a field as a string, empty without. */
const char *word(struct json_object *line, const char *key);

/**
 * check_gaps() - numbers rise by one, and where some are missing a line tells how many
 *
 * Return: how many are missing.
 */
int64_t check_gaps(struct json_object **lines);

/** assert_reason() - the last line of that event in the log has that reason. */
void assert_reason(const char *path, const char *event, const char *reason);

#endif /* TESTS_EMU_PROGRAM_H */
