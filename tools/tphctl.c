// SPDX-License-Identifier: GPL-2.0-only
/* tphctl: steering tags of VFIO devices, from the command line. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "operand.h"
#include "sysfs.h"
#include "tphctl.h"

#ifndef TPHCTL_SYSFS
#define TPHCTL_SYSFS	"/sys"
#endif
#ifndef TPHCTL_PROC
#define TPHCTL_PROC	"/proc"
#endif
#ifndef TPHCTL_BOOT
#define TPHCTL_BOOT	"/boot"
#endif
#ifndef TPHCTL_CONFIG
#define TPHCTL_CONFIG	"/etc/tphctl.d"
#endif

static bool is_kernels(const char *sysfs)
{
	struct stat asked, kernel;
	struct statfs system;

	/* each network namespace has one of its own */
	if (!statfs(sysfs, &system) && system.f_type == SYSFS_MAGIC)
		return true;
	return !stat(sysfs, &asked) && !stat(TPHCTL_SYSFS, &kernel) &&
	       asked.st_dev == kernel.st_dev && asked.st_ino == kernel.st_ino;
}

/* Whether a component of @path is a link; the kernel's own name of its sysfs may have some. */
static bool has_link(const char *path)
{
	size_t length = strspn(path, "/");
	char part[PATH_MAX];
	struct stat status;

	if (!strcmp(path, TPHCTL_SYSFS))
		return false;
	while (path[length] && length < sizeof(part)) {
		length += strcspn(path + length, "/");
		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		if (!lstat(part, &status) && S_ISLNK(status.st_mode))
			return true;
		length += strspn(path + length, "/");
	}
	return false;
}

/* Another name of the running kernel's sysfs is still that; a link in a saved tree is a stranger's. */
static int look_at(struct tphctl *ctl, const char *sysfs)
{
	int code;

	if (is_kernels(sysfs) && has_link(sysfs)) {
		answer_begin(ctl, NULL);
		code = fail(ctl, TPHCTL_USAGE, "--sysfs", sysfs,
			    "for this machine, leave the option out",
			    "a link in it leads to the running kernel's own sysfs");
		answer_end(ctl, code, NULL, 0);
		return code;
	}
	ctl->sysfs = sysfs;
	ctl->foreign_sysfs = !is_kernels(sysfs);
	sysfs_confine(ctl->foreign_sysfs ? sysfs : NULL);
	return TPHCTL_OK;
}

/**
 * invocation_run() - run a command and print its answer
 * @file: batch that it comes from, or NULL
 * @line: line in it
 *
 * Return: exit status.
 */
int invocation_run(struct tphctl *ctl, const struct invocation *invocation, const char *file,
		   unsigned int line)
{
	int code;

	answer_begin(ctl, invocation);
	ctl->line = line;
	ctl->vf_token = invocation->value[OPTION_VF_TOKEN];
	if (ctl->vf_token && !uuid_check(ctl->vf_token))
		code = fail(ctl, TPHCTL_USAGE, "VF token", ctl->vf_token,
			    "write it as bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3",
			    "it is not a UUID");
	else
		code = invocation->command->run(ctl, invocation);
	answer_end(ctl, code, file, line);
	return code;
}

static int misuse(struct tphctl *ctl, const char *thing, const char *value, const char *reason)
{
	int code;

	answer_begin(ctl, NULL);
	code = fail(ctl, TPHCTL_USAGE, thing, value, "see tphctl --help", "%s", reason);
	answer_end(ctl, code, NULL, 0);
	return code;
}

/* What is wrong with the words is to be told in JSON, too: look before parsing them. */
static bool asks_json(int count, char *const *words)
{
	for (int i = 0; i < count && strcmp(words[i], "--"); i++)
		if (!strcmp(words[i], "-j") || !strcmp(words[i], "--json"))
			return true;
	return false;
}

static int run(struct tphctl *ctl, int count, char *const *words)
{
	struct invocation invocation;
	int code;

	ctl->json = asks_json(count, words);
	answer_begin(ctl, NULL);
	code = invocation_parse(ctl, count, words, &invocation);
	if (code) {
		answer_end(ctl, code, NULL, 0);
		return code;
	}
	json_object_put(ctl->answer);
	ctl->answer = NULL;
	if (invocation_has(&invocation, OPTION_SYSFS)) {
		code = look_at(ctl, invocation.value[OPTION_SYSFS]);
		if (code)
			return code;
	}
	if (invocation_has(&invocation, OPTION_HELP)) {
		help_print(invocation.command);
		return TPHCTL_OK;
	}
	if (invocation_has(&invocation, OPTION_VERSION)) {
		printf("tphctl %s, libtph %s\n", TPH_VERSION, tph_version());
		return TPHCTL_OK;
	}
	if (invocation_has(&invocation, OPTION_BATCH)) {
		if (invocation.command)
			return misuse(ctl, "command", invocation.command->name,
				      "with --batch the commands come from the file");
		return batch_run(ctl, invocation.value[OPTION_BATCH],
				 invocation_has(&invocation, OPTION_FORCE));
	}
	if (invocation_has(&invocation, OPTION_FORCE))
		return misuse(ctl, "option", "--force", "it goes with --batch alone");
	if (!invocation.command)
		return misuse(ctl, "command", "(none)", "say what to do");
	return invocation_run(ctl, &invocation, NULL, 0);
}

/** tphctl_main() - the whole tool. Return: exit status. */
int tphctl_main(int argc, char **argv)
{
	struct tphctl ctl = { .sysfs = TPHCTL_SYSFS, .proc = TPHCTL_PROC,
			      .boot = TPHCTL_BOOT, .config = TPHCTL_CONFIG };
	int code;

	code = run(&ctl, argc ? argc - 1 : 0, argv + 1);
	handle_close_all(&ctl);
	if ((fflush(stdout) || ferror(stdout)) && !code) {
		fprintf(stderr, "tphctl: standard output: %s\n", strerror(errno));
		code = TPHCTL_FAILED;
	}
	return code;
}
