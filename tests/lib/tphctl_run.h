/* SPDX-License-Identifier: MIT */
/*
 * tphctl as its users meet it: words in, exit status and output out. The device, the kernel and the
 * PCI bus behind it are simulated; everything between is tphctl and libtph as they are shipped.
 *
 * Each program that uses this has a tree of its own (TREE), so that they run side by side.
 */
#ifndef TPHCTL_RUN_H
#define TPHCTL_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "simulated_tree.h"

#define OUTPUT_SIZE	65536
#define DEVICE_FD	7

/* what a run left behind */
struct run_result {
	int status;
	char out[OUTPUT_SIZE], err[OUTPUT_SIZE], log[OUTPUT_SIZE];
};

/* how the next run differs: reset after it */
struct run_options {
	const char *simulation;		/* see simulation.h */
	const char *input;		/* standard input */
	int device_fd;			/* to be inherited as DEVICE_FD */
	const char *out;		/* standard output goes there */
	bool unprivileged;		/* the modes of files bind it, whoever runs the test */
};

extern struct run_result result;
extern struct run_options with;

/** run() - run tphctl with @words, cut at blanks. Return: its exit status. */
int run(const char *words);

/** tphctl() - the same in this process, with its streams as they are. */
int tphctl(const char *words, const char *simulation, const char *log);

/** explain() - fail, and tell what the last run left behind. */
void explain(const char *words, int line, const char *what);

/* JSON: the document in @text, or NULL; a member that must be there */
struct json_object *parse(const char *text);
struct json_object *member(struct json_object *object, const char *key);
const char *text_of(struct json_object *object, const char *key);
int number_of(struct json_object *object, const char *key);

/* assert_fails() - must fail so, and name @thing, in text and in JSON */
#define assert_fails(words, status, thing) assert_fails_(words, status, thing, __LINE__)
void assert_fails_(const char *words, int status, const char *thing, int line);

#define assert_runs(words) assert_runs_(words, __LINE__)
void assert_runs_(const char *words, int line);

#define assert_says(text, what) assert_says_(text, what, __LINE__)
void assert_says_(const char *text, const char *what, int line);

/* assert_why() - what why says of the condition @name, and which one it marks as broken, or NULL */
#define assert_why(address, status, broken, name, verdict, text) \
	assert_why_(address, status, broken, name, verdict, text, __LINE__)
void assert_why_(const char *address, int status, const char *broken, const char *name,
		 const char *verdict, const char *text, int line);

/* setup() - a tree; why_setup() - one that tells all that why asks; cleanup() - none */
int setup(void **context);
int why_setup(void **context);
int cleanup(void **context);

/* The tree: put something there, or look at it. */
void touch(const char *path);
bool driver_is(const char *address, const char *driver);
bool override_is(const char *address, const char *override);
bool attribute_is(const char *address, const char *attribute, const char *text);
bool file_has(const char *path, const void *what, size_t size);

/** add_neighbour() - a function that shares the endpoint's port and group. */
void add_neighbour(const char *address, const char *driver, enum tree_kind kind,
		   unsigned char secondary);

/** add_crowd() - @count functions below the endpoint's port, in @group. */
void add_crowd(unsigned int bus, unsigned int count, const char *group);

/** make_pair() - share the endpoint's group with e1000e; @alias: behind a bridge to PCI. */
void make_pair(bool alias);

/* a switch below the root port, and what its ports know: Device Capabilities 2, Control 2 */
#define SWITCH_UP	"0000:20:00.0"
#define SWITCH_DOWN	"0000:21:01.0"
#define SWITCHED	"0000:22:00.0"
#define KNOWS_PREFIXES	0x00200000u
#define BLOCKS_PREFIXES	0x8000u

/* an accelerator in the root complex */
#define DSA		"0000:6a:01.0"

#endif /* TPHCTL_RUN_H */
