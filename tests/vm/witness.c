// SPDX-License-Identifier: MIT
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"
#define BUFFER	TRACEFS "/instances/vfio-tph"

static int marker = -1;

static int put(const char *name, const char *text)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), BUFFER "/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

int witness_start(unsigned int buffer_kib)
{
	char kib[16];
	int ret;

	if (access(TRACEFS "/instances", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		return -errno;
	if (mkdir(BUFFER, 0700) && errno != EEXIST)
		return -errno;
	snprintf(kib, sizeof(kib), "%u", buffer_kib);
	ret = put("tracing_on", "0");
	/* One count for all CPUs: the order of two events never depends on their clocks. */
	ret = ret ? ret : put("trace_clock", "counter");
	ret = ret ? ret : put("buffer_size_kb", kib);
	ret = ret ? ret : put("options/overwrite", "0");
	ret = ret ? ret : put("trace", "");
	ret = ret ? ret : put("events/tph_vfio_pci/enable", "1");
	ret = ret ? ret : put("tracing_on", "1");
	if (ret)
		return ret;
	marker = open(BUFFER "/trace_marker", O_WRONLY | O_CLOEXEC);
	return marker < 0 ? -errno : 0;
}

void witness_mark(const char *format, ...)
{
	char text[160];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (dprintf(marker, "mark: %s\n", text) < n) {
		perror("trace_marker");
		abort();
	}
}

static long count_lost(void)
{
	char path[128], line[128];
	unsigned long one;
	long lost = 0;
	FILE *stats;
	int cpu;

	for (cpu = 0; cpu < 64; cpu++) {
		snprintf(path, sizeof(path), BUFFER "/per_cpu/cpu%d/stats", cpu);
		stats = fopen(path, "r");
		if (!stats)
			break;
		while (fgets(line, sizeof(line), stats))
			if (sscanf(line, "overrun: %lu", &one) == 1 ||
			    sscanf(line, "commit overrun: %lu", &one) == 1 ||
			    sscanf(line, "dropped events: %lu", &one) == 1)
				lost += (long)one;
		fclose(stats);
	}
	return cpu ? lost : -ENOENT;
}

/* Not the dozens of flags that the kernel puts in front of an event: an event is its name on. */
static const char *event_in(const char *line)
{
	const char *event = strstr(line, ": tph_");

	if (!event)
		event = strstr(line, ": mark: ");
	return event ? event + 2 : NULL;
}

long witness_save(const char *path)
{
	FILE *from, *to;
	char line[512];
	const char *event;
	long lost;

	if (put("tracing_on", "0"))
		return -errno;
	close(marker);
	lost = count_lost();
	if (lost < 0)
		return lost;
	from = fopen(BUFFER "/trace", "r");
	if (!from)
		return -errno;
	to = fopen(path, "w");
	if (!to) {
		fclose(from);
		return -errno;
	}
	while (fgets(line, sizeof(line), from)) {
		event = event_in(line);
		if (event)
			fputs(event, to);
	}
	fprintf(to, "mark: end lost=%ld\n", lost);
	if (ferror(from) || fclose(to))
		lost = -EIO;
	fclose(from);
	return lost;
}
