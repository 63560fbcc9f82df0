// SPDX-License-Identifier: GPL-2.0-only
/* Threads that run virtual CPUs: see vcpu.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_list.h"
#include "operand.h"
#include "sysfs_file.h"
#include "vcpu.h"

#define LAST_CPU_FIELD	39	/* of /proc/PID/stat (proc_pid_stat(5)); the name is the 2nd */

static int read_of_thread(const char *proc, int pid, int thread, const char *file, char *text,
			  size_t size)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%d/task/%d/%s", proc, pid, thread, file) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return sysfs_read_text(path, text, size);
}

/* "CPU 3/KVM", and whatever QEMU calls another accelerator. Return: whether it is such a name. */
static bool index_of_name(const char *name, uint32_t *index)
{
	char digits[16];
	size_t length;

	if (strncmp(name, "CPU ", 4))
		return false;
	name += 4;
	length = strspn(name, "0123456789");
	if (!length || length >= sizeof(digits) || name[length] != '/')
		return false;
	memcpy(digits, name, length);
	digits[length] = '\0';
	return number_parse(digits, VCPUS_MAX - 1, index);
}

int vcpu_find(const char *proc, int pid, struct vcpu_list *cpus)
{
	char path[PATH_MAX], name[64];
	const struct dirent *entry;
	uint32_t thread, index;
	DIR *tasks;

	memset(cpus, 0, sizeof(*cpus));
	if (snprintf(path, sizeof(path), "%s/%d/task", proc, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	tasks = opendir(path);
	if (!tasks)
		return -errno;
	while ((entry = readdir(tasks))) {
		if (!number_parse(entry->d_name, INT_MAX, &thread) ||
		    read_of_thread(proc, pid, (int)thread, "comm", name, sizeof(name)) ||
		    !index_of_name(name, &index))
			continue;
		cpus->cpu[index].thread = (int)thread;
		if (index >= cpus->count)
			cpus->count = index + 1;
	}
	closedir(tasks);
	return 0;
}

/* Return: the process that a thread is of, or 0. */
static int process_of(const char *proc, int thread)
{
	char path[PATH_MAX], line[256];
	int process = 0;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%d/status", proc, thread) >= (int)sizeof(path))
		return 0;
	file = fopen(path, "re");
	while (file && !process && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %d", &process) != 1)
			process = 0;
	if (file)
		fclose(file);
	return process;
}

int vcpu_process(const char *proc, const struct vcpu_list *cpus)
{
	int process = 0;

	for (uint32_t i = 0; i < cpus->count; i++) {
		int found;

		if (!cpus->cpu[i].thread)
			continue;
		found = process_of(proc, cpus->cpu[i].thread);
		if (!found)
			return -ESRCH;
		if (process && process != found)
			return -EPROTO;
		process = found;
	}
	return process ? process : -ESRCH;
}

bool vcpu_is_of(const char *proc, int pid, int thread)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%d/task/%d", proc, pid, thread) <
	       (int)sizeof(path) && !access(path, F_OK);
}

uint32_t vcpu_last(const char *proc, int pid, int thread)
{
	char text[1024], *at, *rest = NULL;
	uint32_t cpu;

	if (read_of_thread(proc, pid, thread, "stat", text, sizeof(text)))
		return TPH_CPU_NONE;
	/* the name has whatever its owner likes, and ends with the last parenthesis */
	at = strrchr(text, ')');
	at = at ? strtok_r(at + 1, " ", &rest) : NULL;
	for (int field = 3; at && field < LAST_CPU_FIELD; field++)
		at = strtok_r(NULL, " ", &rest);
	return at && number_parse(at, CPU_LIST_MAX - 1, &cpu) ? cpu : TPH_CPU_NONE;
}
