// SPDX-License-Identifier: MIT
#include "program.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/loop.h"

const char *program;
struct rlimit program_fd_limit;

pid_t spawn(char *const argv[], const char *errors, int keep_fd)
{
	pid_t pid = fork();

	if (!pid) {
		int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, STDERR_FILENO);
		if (keep_fd >= 0)
			dup2(keep_fd, 3);
		if (program_fd_limit.rlim_max)
			setrlimit(RLIMIT_NOFILE, &program_fd_limit);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

int finish(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	close(fd);
	return text;
}

unsigned int open_fds(pid_t pid)
{
	unsigned int count = 0;
	char path[32];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

unsigned int open_fds_soon(pid_t pid, unsigned int want)
{
	const int64_t until = loop_now() + 2000;
	unsigned int count;

	while ((count = open_fds(pid)) != want && loop_now() < until)
		poll(NULL, 0, 1);
	return count;
}

/* With options of its own, and a log that is there already or not. */
void emulator_run(struct emulator *e, const char *more, char *option, char *value)
{
	char functions[2][128], line[8] = "";
	int ready[2];
	char *argv[] = {
		(char *)program, "--function",	functions[0], "--function", functions[1], "--log",
		e->log,		 "--ready-fd",	"3",	      "--verbose",  option,	  value,
		NULL,
	};

	for (int i = 0; i < 2; i++)
		snprintf(functions[i], sizeof(functions[i]), "socket=%s,name=f%d,rid=01:00.%d%s",
			 e->socket[i], i, i, i ? more : ",memory-bar=2,memory-size=128K");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	e->pid = spawn(argv, e->errors, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], line, sizeof(line) - 1), 6);
	assert_string_equal(line, "ready\n");
	/* then it closes the descriptor, and has open what it has when idle */
	assert_int_equal(read(ready[0], line, 1), 0);
	close(ready[0]);
	e->idle_fds = open_fds(e->pid);
}

void emulator_place(struct emulator *e)
{
	strcpy(e->directory, "/tmp/test-emu-XXXXXX");
	assert_non_null(mkdtemp(e->directory));
	for (int i = 0; i < 2; i++)
		snprintf(e->socket[i], sizeof(e->socket[i]), "%s/f%d", e->directory, i);
	snprintf(e->log, sizeof(e->log), "%s/log", e->directory);
	snprintf(e->errors, sizeof(e->errors), "%s/errors", e->directory);
}

void emulator_start(struct emulator *e, const char *more)
{
	emulator_place(e);
	emulator_run(e, more, NULL, NULL);
}

/* Ends it and checks that it ended well: no sanitizer and nobody else had anything to say. */
int emulator_stop(struct emulator *e)
{
	char *errors;
	int status;

	kill(e->pid, SIGTERM);
	status = finish(e->pid);
	errors = slurp(e->errors);
	if (status || *errors)
		print_message("exit status %d, errors: %s\n", status, errors);
	status = status || *errors || !access(e->socket[0], F_OK) || !access(e->socket[1], F_OK);
	free(errors);
	return status;
}

void emulator_remove(struct emulator *e)
{
	unlink(e->log);
	unlink(e->errors);
	rmdir(e->directory);
}

int64_t number(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return -1;
	return json_object_get_int64(value);
}

/* Every line of a log, parsed; NULL ends them. A line that is torn fails the test. */
struct json_object **log_lines(const char *text)
{
	struct json_object **lines = calloc(strlen(text) / 8 + 2, sizeof(*lines));
	char *copy = strdup(text), *rest = copy, *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) && rest) {
		lines[count] = json_tokener_parse(line);
		if (!lines[count++])
			fail_msg("torn: %s", line);
	}
	assert_string_equal(line, "");
	free(copy);
	return lines;
}

void lines_free(struct json_object **lines)
{
	for (size_t i = 0; lines[i]; i++)
		json_object_put(lines[i]);
	free(lines);
}

const char *word(struct json_object *line, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(line, key, &value) ? json_object_get_string(value) : "";
}

/* Numbers rise by one, and where some are missing a line tells how many. Return: how many. */
int64_t check_gaps(struct json_object **lines)
{
	int64_t seq = 0, lost = 0;

	for (size_t i = 0; lines[i]; i++) {
		int64_t lines_lost = 0;

		if (!strcmp(word(lines[i], "event"), "lost"))
			lines_lost = number(lines[i], "lines");
		lost += lines_lost;
		seq += lines_lost ? lines_lost : 1;
		assert_int_equal(number(lines[i], "seq"), seq);
	}
	return lost;
}

/* The reason of the last line of that event. */
static char *last_reason(const char *path, const char *event)
{
	char *text = slurp(path), *found = strdup("(none)");
	struct json_object **lines = log_lines(text);

	for (size_t i = 0; lines[i]; i++) {
		if (strcmp(word(lines[i], "event"), event))
			continue;
		free(found);
		found = strdup(word(lines[i], "reason"));
	}
	lines_free(lines);
	free(text);
	return found;
}

void assert_reason(const char *path, const char *event, const char *reason)
{
	char *found = last_reason(path, event);

	assert_string_equal(found, reason);
	free(found);
}

int finish_within(pid_t pid, int64_t ms, int64_t *took)
{
	const int64_t start = loop_now();
	int status = finish(pid);

	*took = loop_now() - start;
	if (*took > ms)
		print_message("it took %lld ms to end\n", (long long)*took);
	return status;
}
