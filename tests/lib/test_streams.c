// SPDX-License-Identifier: MIT
/* tphctl started without standard streams: what it opens does not get their numbers. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 60

static const char *tphctl;

/* @closed: bit 1 << descriptor each */
static pid_t start(unsigned int closed, char *const *words)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (closed >> fd & 1)
			close(fd);
	execv(tphctl, words);
	_exit(127);
}

static int end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void read_target(pid_t pid, int fd, char target[PATH_MAX])
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	length = readlink(path, target, PATH_MAX - 1);
	target[length < 0 ? 0 : length] = '\0';
}

static void files_are_no_streams(void **context)
{
	char folder[] = "/tmp/test-streams-XXXXXX", batch[64], target[PATH_MAX];
	char *words[] = { (char *)tphctl, (char *)"--batch", batch, NULL };

	(void)context;
	assert_non_null(mkdtemp(folder));
	snprintf(batch, sizeof(batch), "%s/batch", folder);
	assert_int_equal(mkfifo(batch, 0600), 0);
	alarm(PATIENCE_S);
	for (unsigned int closed = 1; closed < 8; closed++) {
		pid_t pid = start(closed, words);
		/* returns when it has it open, and is waiting for a line */
		int writer = open(batch, O_WRONLY | O_CLOEXEC);

		assert_true(writer >= 0);
		for (int fd = 0; fd <= STDERR_FILENO; fd++) {
			read_target(pid, fd, target);
			if (!*target || !strcmp(target, batch))
				fail_msg("closed %u: descriptor %d is \"%s\"", closed, fd, target);
		}
		close(writer);
		assert_int_equal(end(pid), 0);
	}
	alarm(0);
	unlink(batch);
	rmdir(folder);
}

static void output_to_a_closed_stream_is_an_error(void **context)
{
	char *words[] = { (char *)tphctl, (char *)"--version", NULL };

	(void)context;
	assert_int_equal(end(start(1 << STDOUT_FILENO, words)), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_no_streams),
		cmocka_unit_test(output_to_a_closed_stream_is_an_error),
	};

	if (argc != 2)
		return 2;
	tphctl = argv[1];
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
