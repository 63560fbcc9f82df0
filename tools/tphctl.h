/* SPDX-License-Identifier: GPL-2.0-only */
/* What tphctl's files share: one run of the tool, its commands, its errors. */
#ifndef TPHCTL_H
#define TPHCTL_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

#include "address.h"
#include "tph.h"

/* Layout of the JSON documents; raised when a program could be surprised. */
#define TPHCTL_JSON_VERSION	1

enum tphctl_exit {
	TPHCTL_OK = 0,
	TPHCTL_FAILED = 1,
	TPHCTL_USAGE = 2,
	TPHCTL_UNSUPPORTED = 3,
	TPHCTL_NOT_PERMITTED = 4,
};

/**
 * struct failure - what went wrong
 * @code: enum tphctl_exit
 * @thing: kind of thing: "device", "option", ...
 * @value: which one
 * @reason: why it does not do
 * @remedy: the way out; may be empty
 */
struct failure {
	int code;
	const char *thing;
	char value[256];
	char reason[512];
	char remedy[512];
};

/* qemu:PID/ADDRESS is the longest */
#define DEVICE_NAME_SIZE	32

/* in the place of a descriptor's number: it is still to be taken from a process (borrow.h) */
#define DEVICE_BORROWED		INT32_MAX

#define DEVICE_NAME_REMEDY	"give it as 0000:01:00.0, as fd:3, or as qemu:1234/0000:01:00.0"
#define DEVICE_NAME_REASON	"this is neither a PCI address nor an inherited descriptor, nor a " \
				"process and the address of a device that it has open"

/* struct handle - a device kept open; @borrowed: descriptor taken from another process, or -1 */
struct handle {
	char name[DEVICE_NAME_SIZE];
	int borrowed;
	struct tph_device *device;
	struct handle *next;
};

/**
 * struct tphctl - one run
 * @json: answer in JSON
 * @sysfs: where sysfs is
 * @foreign_sysfs: @sysfs is not the running kernel's: no device behind it is opened
 * @batch: commands come from a file, devices stay open
 * @handles: devices open
 * @failure: set by whoever returns a code other than TPHCTL_OK
 * @answer: JSON document of the command that runs
 * @streamed: the command has printed its answer, in several documents
 * @interrupted: a signal came, and what it interrupted is undone
 * @line: line of the batch that the command came from, or 0
 * @proc: where proc is
 * @boot: where the kernel's options are kept
 * @config: where is what was saved for devices
 * @vf_token: VF token for the device that the command opens, or NULL
 */
struct tphctl {
	bool json;
	const char *sysfs;
	bool foreign_sysfs;
	bool batch;
	struct handle *handles;
	struct failure failure;
	struct json_object *answer;
	bool streamed;
	bool interrupted;
	unsigned int line;
	const char *proc;
	const char *boot;
	const char *config;
	const char *vf_token;
};

enum option_id {
	OPTION_JSON,
	OPTION_BATCH,
	OPTION_FORCE,
	OPTION_SYSFS,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_PM,
	OPTION_DRIVER,
	OPTION_POLICY,
	OPTION_CPUS,
	OPTION_PUBLISH,
	OPTION_CHANGES,
	OPTION_VF_TOKEN,
	OPTION_SAVE,
	OPTION_CONFIG,
	OPTION_QMP,
	OPTION_DRY_RUN,
	OPTION_COUNT,
};

/* more than a user names in one command */
#define OPERANDS_MAX	64

/**
 * struct invocation - a command as it was given
 * @command: from the table, or NULL
 * @given: bit 1 << enum option_id each
 * @value: of the options that take one
 * @operand: what is neither command nor option
 */
struct invocation {
	const struct command *command;
	uint32_t given;
	const char *value[OPTION_COUNT];
	const char *operand[OPERANDS_MAX];
	unsigned int operands;
};

/**
 * struct command - a line of the table that parser, help, completion and manual agree on
 * @name: what it is called
 * @operands: how its operands are written
 * @least: fewest operands
 * @most: most operands
 * @options: bit 1 << enum option_id each, beside the general ones
 * @purpose: in a line
 * @details: the rest of its help
 * @run: carries it out; enum tphctl_exit
 */
struct command {
	const char *name;
	const char *operands;
	unsigned int least, most;
	uint32_t options;
	const char *purpose;
	const char *details;
	int (*run)(struct tphctl *ctl, const struct invocation *invocation);
};

/* struct option_description - likewise for options */
struct option_description {
	const char *name;
	char letter;
	const char *argument;
	bool general;	/* belongs to the tool, not to a command */
	const char *purpose;
};

extern const struct command tphctl_commands[];
extern const struct option_description tphctl_options[OPTION_COUNT];

/* command.c */
int invocation_parse(struct tphctl *ctl, int count, char *const *words,
		     struct invocation *invocation);
bool invocation_has(const struct invocation *invocation, enum option_id option);
void help_print(const struct command *command);

/* report.c */
int fail(struct tphctl *ctl, int code, const char *thing, const char *value, const char *remedy,
	 const char *reason, ...) __attribute__((format(printf, 6, 7)));
void add_reason(struct tphctl *ctl, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct json_object *failure_json(const struct failure *failure);
void failure_print(const struct failure *failure);
int exit_code_of(int error);
void note(struct tphctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));
void answer_begin(struct tphctl *ctl, const struct invocation *invocation);
void time_stamp(char *text, size_t size);
void answer_renew(struct tphctl *ctl, const struct invocation *invocation, const char *device,
		  const char *stamp);
void answer_print(struct tphctl *ctl);
void answer_end(struct tphctl *ctl, int code, const char *file, unsigned int line);
void answer_add(struct tphctl *ctl, const char *key, struct json_object *value);
struct json_object *json_text(const char *text);

/* handle.c */
bool device_name_parse(const char *text, char *name, size_t size, int *fd);
int handle_open(struct tphctl *ctl, const char *text, struct handle **handle);
int handle_open_quietly(struct tphctl *ctl, const char *name, struct handle **handle);
struct handle *handle_find(struct tphctl *ctl, const char *name);
void handle_close(struct tphctl *ctl, struct handle *handle);
void handle_close_all(struct tphctl *ctl);
bool handle_address(const struct tphctl *ctl, const char *name, char address[TPH_ADDRESS_SIZE]);
int open_failure(struct tphctl *ctl, const char *name, int error);

/* batch.c */
int batch_run(struct tphctl *ctl, const char *path, bool force);

/* the commands */
int list_run(struct tphctl *ctl, const struct invocation *invocation);
int show_run(struct tphctl *ctl, const struct invocation *invocation);
int set_run(struct tphctl *ctl, const struct invocation *invocation);
int clear_run(struct tphctl *ctl, const struct invocation *invocation);
int enable_run(struct tphctl *ctl, const struct invocation *invocation);
int disable_run(struct tphctl *ctl, const struct invocation *invocation);
int bind_run(struct tphctl *ctl, const struct invocation *invocation);
int unbind_run(struct tphctl *ctl, const struct invocation *invocation);
int apply_run(struct tphctl *ctl, const struct invocation *invocation);
int grant_run(struct tphctl *ctl, const struct invocation *invocation);
int dmabufs_run(struct tphctl *ctl, const struct invocation *invocation);
int watch_run(struct tphctl *ctl, const struct invocation *invocation);
int follow_run(struct tphctl *ctl, const struct invocation *invocation);
int why_run(struct tphctl *ctl, const struct invocation *invocation);
int group_run(struct tphctl *ctl, const struct invocation *invocation);
int report_run(struct tphctl *ctl, const struct invocation *invocation);

/* tphctl.c */
int tphctl_main(int argc, char **argv);
int invocation_run(struct tphctl *ctl, const struct invocation *invocation, const char *file,
		   unsigned int line);

#endif /* TPHCTL_H */
