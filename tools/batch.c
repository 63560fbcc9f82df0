// SPDX-License-Identifier: GPL-2.0-only
/* tphctl -b: commands from a file, one a line, on devices that stay open. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tphctl.h"

/* more words than any command takes */
#define WORDS_MAX	16

/* Cut @line into words, up to a comment. Return: how many, or -1 if too many. */
static int split(char *line, char *words[WORDS_MAX])
{
	char *rest = NULL, *word;
	int count = 0;

	for (word = strtok_r(line, " \t\r\n", &rest); word && *word != '#';
	     word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (count == WORDS_MAX)
			return -1;
		words[count++] = word;
	}
	return count;
}

static int run_line(struct tphctl *ctl, char *line, size_t length, const char *path,
		    unsigned int number)
{
	struct invocation invocation = { 0 };
	char *words[WORDS_MAX];
	int count, code;

	if (strlen(line) != length) {
		answer_begin(ctl, NULL);
		code = fail(ctl, TPHCTL_USAGE, "line", "with a zero byte", "write plain text",
			    "this is not text");
		answer_end(ctl, code, path, number);
		return code;
	}
	count = split(line, words);
	if (!count)
		return TPHCTL_OK;
	answer_begin(ctl, NULL);
	if (count < 0)
		code = fail(ctl, TPHCTL_USAGE, "line", words[0], "one command a line",
			    "it has more than %d words", WORDS_MAX);
	else
		code = invocation_parse(ctl, count, words, &invocation);
	if (!code && !invocation.command)
		code = fail(ctl, TPHCTL_USAGE, "line", words[0], "see tphctl --help",
			    "there is no command in it");
	if (code) {
		answer_end(ctl, code, path, number);
		return code;
	}
	json_object_put(ctl->answer);
	return invocation_run(ctl, &invocation, path, number);
}

/**
 * batch_run() - run the commands in @path ("-": standard input)
 * @force: go on after a line that fails
 *
 * Return: exit status of the first line that failed.
 */
int batch_run(struct tphctl *ctl, const char *path, bool force)
{
	bool standard = !strcmp(path, "-");
	FILE *file = standard ? stdin : fopen(path, "re");
	int code = TPHCTL_OK, result;
	unsigned int number = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	if (!file) {
		answer_begin(ctl, NULL);
		code = fail(ctl, exit_code_of(-errno), "file", path,
			    "give a file, or - for standard input", "it cannot be read: %s",
			    strerror(errno));
		answer_end(ctl, code, NULL, 0);
		return code;
	}
	ctl->batch = true;
	if (standard)
		path = "standard input";
	while ((!code || force) && !ctl->interrupted &&
	       (length = getline(&line, &room, file)) >= 0) {
		number++;
		result = run_line(ctl, line, (size_t)length, path, number);
		if (!code)
			code = result;
	}
	if (ferror(file) && !code) {
		answer_begin(ctl, NULL);
		code = fail(ctl, TPHCTL_FAILED, "file", path,
			    "give a file, or - for standard input", "it cannot be read: %s",
			    strerror(errno));
		answer_end(ctl, code, NULL, 0);
	}
	free(line);
	if (!standard)
		fclose(file);
	return code;
}
