// SPDX-License-Identifier: MIT
/*
 * First process of the VM. lab/run left in /lab what to do; all of it is done here, because each
 * program that is started before the one that was asked for is paid for at every boot.
 *
 *   /lab/settings   lines "NAME VALUE": interactive yes|no, terminal TERM, rows N, columns N,
 *                   port NAME (the next virtio-serial port is to be /dev/NAME)
 *   /lab/modules    lines "FILE [PARAMETER=VALUE...]", in the order to load
 *   /lab/program    its words, each ended by a NUL
 *   /lab/help       what the prompt starts with
 *   /lab/finish     if it exists, a shell script for the end
 *
 * The console (ttyS0) is the kernel's, ttyS1 the program's, and on ttyS2 one line goes to the host:
 * "status N" or "error TEXT".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CONSOLE_LEVEL	8	/* klogctl's action */
#define LOG_INFO_TOO	7

#define PORTS_MAX	4
#define PORT_PATIENCE	10000	/* ms */

static int program_fd = -1;

struct settings {
	bool interactive;
	char terminal[64];
	struct winsize size;
	char ports[PORTS_MAX][64];
	int port_count;
};

__attribute__((noreturn, format(printf, 1, 2)))
static void finish(const char *format, ...)
{
	int fd = open("/dev/ttyS2", O_WRONLY | O_NOCTTY);
	va_list arguments;

	if (program_fd >= 0)
		tcdrain(program_fd);
	if (fd >= 0) {
		va_start(arguments, format);
		vdprintf(fd, format, arguments);
		va_end(arguments);
		dprintf(fd, "\n");
		tcdrain(fd);
	}
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} mounts[] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "debugfs", "/sys/kernel/debug" },
		{ "tracefs", "/sys/kernel/tracing" },
		{ "cgroup2", "/sys/fs/cgroup" },
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL))
			finish("error mount %s: %s", mounts[i].where, strerror(errno));
	}

	/* The kernel found no console for us, and 0 to 2 are not to be ports. */
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd < STDERR_FILENO);

	/* The root file system is in memory: /tmp, /run and /dev/shm need no mounts of their own. */
	mkdir("/dev/shm", 01777);
	fd = open("/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY);
	if (fd < 0 || write(fd, "+cpuset", 7) != 7)
		finish("error cgroup.subtree_control does not take +cpuset: %s", strerror(errno));
	close(fd);
}

static FILE *lab_file(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		finish("error %s: %s", path, strerror(errno));
	return file;
}

static struct settings settings_read(void)
{
	struct settings settings = { 0 };
	char name[32], value[64];
	FILE *file = lab_file("/lab/settings");

	while (fscanf(file, "%31s %63s", name, value) == 2) {
		if (!strcmp(name, "interactive"))
			settings.interactive = !strcmp(value, "yes");
		else if (!strcmp(name, "terminal"))
			strcpy(settings.terminal, value);
		else if (!strcmp(name, "rows"))
			settings.size.ws_row = atoi(value);
		else if (!strcmp(name, "columns"))
			settings.size.ws_col = atoi(value);
		else if (!strcmp(name, "port"))
			strcpy(settings.ports[settings.port_count++ % PORTS_MAX], value);
	}
	fclose(file);
	return settings;
}

static void modules_load(void)
{
	FILE *file = lab_file("/lab/modules");
	char *line = NULL, *parameters;
	size_t size = 0;
	int fd;

	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		parameters = strchr(line, ' ');
		if (parameters)
			*parameters++ = '\0';
		fd = open(line, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, parameters ? parameters : "", 0))
			finish("error module %s was not loaded: %s", line, strerror(errno));
		close(fd);
	}
	free(line);
	fclose(file);
}

/* A virtio-serial port gets its node when host and guest have talked about it. */
static void ports_name(const struct settings *settings)
{
	struct pollfd watch = { .fd = inotify_init1(IN_CLOEXEC), .events = POLLIN };
	char target[32], path[80], events[4096];
	int i;

	if (watch.fd < 0 || inotify_add_watch(watch.fd, "/dev", IN_CREATE) < 0)
		finish("error inotify: %s", strerror(errno));
	for (i = 0; i < settings->port_count; i++) {
		snprintf(target, sizeof(target), "/dev/vport0p%d", i + 1);
		while (access(target, W_OK)) {
			if (poll(&watch, 1, PORT_PATIENCE) <= 0 ||
			    read(watch.fd, events, sizeof(events)) < 0)
				finish("error there is no %s", target);
		}
		snprintf(path, sizeof(path), "/dev/%s", settings->ports[i]);
		if (symlink(target, path))
			finish("error %s: %s", path, strerror(errno));
	}
	close(watch.fd);
}

static char **program_read(void)
{
	FILE *file = lab_file("/lab/program");
	char **words = NULL, *word = NULL;
	size_t count = 0, size;

	do {
		words = realloc(words, (count + 1) * sizeof(*words));
		if (!words)
			finish("error the program has too many words");
		words[count] = NULL;
		size = 0;
		word = NULL;
		if (getdelim(&word, &size, '\0', file) > 0)
			words[count] = word;
	} while (words[count++]);
	fclose(file);
	return words;
}

static void prompt_prepare(const struct settings *settings)
{
	char help[4096];
	ssize_t length;
	int fd;

	/* With a controlling terminal of its own, Ctrl-C reaches what runs in the shell. */
	setsid();
	ioctl(program_fd, TIOCSCTTY, 0);
	ioctl(program_fd, TIOCSWINSZ, &settings->size);
	setenv("TERM", settings->terminal, 1);
	setenv("PS1", "lab:\\w# ", 1);
	fd = open("/lab/help", O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, help, sizeof(help));
	if (length > 0 && write(program_fd, help, length) != length)
		_exit(125);
}

/* Runs in the child. */
__attribute__((noreturn))
static void program_exec(const struct settings *settings)
{
	char *shell[] = { "sh", NULL };
	char **words = settings->interactive ? shell : program_read();
	int in = program_fd;

	if (settings->interactive)
		prompt_prepare(settings);
	else
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(in, STDIN_FILENO);
	dup2(program_fd, STDOUT_FILENO);
	dup2(program_fd, STDERR_FILENO);
	execvp(words[0], words);
	dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* child_wait: also for those whose parents are gone. Returns a status as the shell tells it. */
static int child_wait(pid_t child)
{
	int status;
	pid_t pid;

	do {
		pid = wait(&status);
	} while (pid != child && (pid >= 0 || errno == EINTR));
	if (pid < 0)
		finish("error wait: %s", strerror(errno));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	struct settings settings;
	struct termios termios;
	int status;
	pid_t child;

	umask(022);
	clearenv();
	setenv("PATH", "/root:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);

	mount_all();
	/* The kernel is quiet while it boots: each character is paid for. */
	klogctl(CONSOLE_LEVEL, NULL, LOG_INFO_TOO);
	settings = settings_read();
	modules_load();
	if (settings.port_count)
		ports_name(&settings);

	program_fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (program_fd < 0 || tcgetattr(program_fd, &termios))
		finish("error /dev/ttyS1: %s", strerror(errno));
	if (!settings.interactive) {
		/* Bytes go through as they are. */
		cfmakeraw(&termios);
		tcsetattr(program_fd, TCSANOW, &termios);
	}
	if (chdir("/root"))
		finish("error /root: %s", strerror(errno));

	child = fork();
	if (!child)
		program_exec(&settings);
	if (child < 0)
		finish("error fork: %s", strerror(errno));
	status = child_wait(child);

	if (!access("/lab/finish", R_OK)) {
		child = fork();
		if (!child) {
			execl("/bin/sh", "sh", "/lab/finish", (char *)NULL);
			_exit(127);
		}
		if (child < 0 || child_wait(child))
			finish("error /lab/finish failed");
	}
	finish("status %d", status);
}
