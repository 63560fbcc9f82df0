// SPDX-License-Identifier: MIT
/*
 * First process of the VM. lab/run left in /lab what to do; all of it is done here, because each
 * program that is started before the one that was asked for is paid for at every boot.
 *
 *   /lab/settings   lines "NAME VALUE": interactive yes|no, terminal TERM, rows N, columns N,
 *                   port NAME (the next virtio-serial port is to be /dev/NAME),
 *                   clock SECONDS (since 1970), rescan yes|no
 *   /lab/modules    lines "FILE [PARAMETER=VALUE...]", in the order to load
 *   /lab/program    its words, each ended by a NUL
 *   /lab/help       what the prompt starts with
 *   /lab/finish     if it exists, a shell script for the end
 *   /lab/entropy    if it exists, bytes that the host drew
 *
 * If there is no /lab/settings, this is a VM to be saved: it says so on ttyS2 and waits for a byte from
 * there, which comes when it was restored. /dev/lab-stage (lab/platform/stage.c) then has the archive
 * with all of that, and there may be functions that were not there before; the clock has stood still,
 * and what it would draw as random has been drawn before by others that were restored.
 *
 * The console (ttyS0) is the kernel's, ttyS1 the program's, and on ttyS2 one line goes to the host:
 * "status N" or "error TEXT".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
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
#include <time.h>
#include <unistd.h>

#define CONSOLE_LEVEL	8	/* klogctl's action */
#define LOG_INFO_TOO	7

#define STAGE_MODULE	"/lab/stage.ko"

#define PORTS_MAX	4
#define PORT_PATIENCE	10000	/* ms */

static int program_fd = -1;

struct settings {
	bool interactive;
	char terminal[64];
	struct winsize size;
	char ports[PORTS_MAX][64];
	int port_count;
	time_t clock;
	bool rescan;
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

static void file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != length)
		finish("error %s does not take %s: %s", path, text, strerror(errno));
	close(fd);
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
	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
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
		else if (!strcmp(name, "clock"))
			settings.clock = atoll(value);
		else if (!strcmp(name, "rescan"))
			settings.rescan = !strcmp(value, "yes");
	}
	fclose(file);
	return settings;
}

static void module_load(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, parameters, 0))
		finish("error module %s was not loaded: %s", path, strerror(errno));
	close(fd);
}

static void modules_load(void)
{
	FILE *file = lab_file("/lab/modules");
	char *line = NULL, *parameters;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		parameters = strchr(line, ' ');
		if (parameters)
			*parameters++ = '\0';
		module_load(line, parameters ? parameters : "");
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

/* QEMU's pci-testdev keeps a place for a function that comes when the VM is restored. */
static void placeholders_remove(void)
{
	const char *devices = "/sys/bus/pci/devices";
	DIR *folder = opendir(devices);
	static const char placeholder[] = "pci:v00001B36d00000005";
	char path[320], alias[sizeof(placeholder)];
	struct dirent *entry;
	FILE *file;

	while (folder && (entry = readdir(folder))) {
		snprintf(path, sizeof(path), "%s/%s/modalias", devices, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (!fgets(alias, sizeof(alias), file))
			*alias = '\0';
		fclose(file);
		if (strcmp(alias, placeholder))
			continue;
		snprintf(path, sizeof(path), "%s/%s/remove", devices, entry->d_name);
		file_write(path, "1");
	}
	if (folder)
		closedir(folder);
}

/* One byte from ttyS2 that says "you were restored". Of several some are lost with the UART's state. */
static void restore_wait(void)
{
	int fd = open("/dev/ttyS2", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios termios;
	char byte;

	if (fd < 0 || tcgetattr(fd, &termios))
		finish("error /dev/ttyS2: %s", strerror(errno));
	cfmakeraw(&termios);
	if (tcsetattr(fd, TCSANOW, &termios) || write(fd, "ready\n", 6) != 6 || tcdrain(fd) ||
	    read(fd, &byte, 1) != 1)
		finish("error /dev/ttyS2: %s", strerror(errno));
	close(fd);
}

static char *stage_read(size_t *length)
{
	int fd = open("/dev/lab-stage", O_RDONLY | O_CLOEXEC);
	size_t size = 0, room = 0;
	char *stage = NULL;
	ssize_t count = -1;

	do {
		if (size == room) {
			room = room ? 2 * room : 1 << 20;
			stage = realloc(stage, room);
		}
		if (fd < 0 || !stage)
			break;
		count = read(fd, stage + size, room - size);
		size += count > 0 ? count : 0;
	} while (count > 0);
	if (count)
		finish("error /dev/lab-stage: %s", strerror(errno));
	close(fd);
	*length = size;
	return stage;
}

static bool stage_write(const char *path, mode_t mode, const char *data, size_t size)
{
	ssize_t count = 0;
	bool done;
	int fd;

	if (S_ISDIR(mode))
		return !mkdir(path, mode & 07777) || errno == EEXIST;
	if (!S_ISREG(mode)) {
		errno = EINVAL;
		return false;
	}
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	while (size && (count = write(fd, data, size)) > 0) {
		data += count;
		size -= count;
	}
	done = !size && !fchmod(fd, mode & 07777);
	close(fd);
	return done;
}

/*
 * Unpacks archives of cpio's "newc" format, one after the other with zeros in between, as the kernel
 * does with an initramfs: a header of fixed length in hexadecimal digits, the name, the data, each
 * padded to four bytes.
 */
static void stage_unpack(void)
{
	enum { MAGIC = 6, FIELD = 8, MODE = 1, SIZE = 6, NAME_SIZE = 11, FIELDS = 13 };
	unsigned long fields[FIELDS];
	char digits[FIELD + 1] = "";
	size_t length, at = 0, data;
	char *stage;
	int i;

	stage = stage_read(&length);
	while (at + MAGIC + FIELDS * FIELD < length) {
		if (!stage[at]) {
			at += 4;
			continue;
		}
		if (memcmp(stage + at, "070701", MAGIC))
			finish("error /dev/lab-stage has no header at %zu", at);
		for (i = 0; i < FIELDS; i++) {
			memcpy(digits, stage + at + MAGIC + i * FIELD, FIELD);
			fields[i] = strtoul(digits, NULL, 16);
		}
		at += MAGIC + FIELDS * FIELD;
		data = (at + fields[NAME_SIZE] + 3) & ~3UL;
		if (!fields[NAME_SIZE] || data > length || fields[SIZE] > length - data ||
		    stage[at + fields[NAME_SIZE] - 1])
			finish("error /dev/lab-stage ends too early");
		if (strcmp(stage + at, "TRAILER!!!") &&
		    !stage_write(stage + at, fields[MODE], stage + data, fields[SIZE]))
			finish("error %s: %s", stage + at, strerror(errno));
		at = (data + fields[SIZE] + 3) & ~3UL;
	}
	free(stage);
}

/* The kernel takes its time: meanwhile there is other work. Whoever waits for this child knows it is gone. */
static pid_t stage_remove(void)
{
	pid_t child = fork();

	if (child < 0)
		finish("error fork: %s", strerror(errno));
	if (child)
		return child;
	if (syscall(SYS_delete_module, "tph_lab_stage", O_NONBLOCK))
		finish("error tph_lab_stage does not go: %s", strerror(errno));
	_exit(0);
}

/* After this the VM is as one that was started now. */
static void settle(const struct settings *settings)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} entropy;
	struct timespec now = { .tv_sec = settings->clock };
	int fd = open("/lab/entropy", O_RDONLY | O_CLOEXEC);
	int random = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	entropy.info.entropy_count = 4 * sizeof(entropy.bytes); /* hexadecimal digits */
	entropy.info.buf_size = sizeof(entropy.bytes);
	if (read(fd, entropy.bytes, sizeof(entropy.bytes)) != sizeof(entropy.bytes) ||
	    ioctl(random, RNDADDENTROPY, &entropy) || ioctl(random, RNDRESEEDCRNG))
		finish("error /lab/entropy: %s", strerror(errno));
	close(random);
	close(fd);
	if (clock_settime(CLOCK_REALTIME, &now))
		finish("error clock: %s", strerror(errno));
	if (settings->rescan)
		file_write("/sys/bus/pci/rescan", "1");
}

int main(void)
{
	struct settings settings;
	struct termios termios;
	bool restored;
	int status;
	pid_t child, remover = 0;

	umask(022);
	clearenv();
	setenv("PATH", "/root:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);

	mount_all();
	/* The kernel is quiet while it boots: each character is paid for. */
	klogctl(CONSOLE_LEVEL, NULL, LOG_INFO_TOO);
	restored = access("/lab/settings", F_OK);
	if (restored) {
		placeholders_remove();
		module_load(STAGE_MODULE, "");
		restore_wait();
		stage_unpack();
		remover = stage_remove();
	}
	settings = settings_read();
	if (restored)
		settle(&settings);
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

	if (remover)
		child_wait(remover);
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
