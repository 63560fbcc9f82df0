// SPDX-License-Identifier: MIT
/*
 * What a TLP costs: CPU time of tph-emu for requests of 64 bytes with a tag, with a log (which nobody
 * keeps) and without, one run after the other. A second program, such as a former version, is run
 * with a log in between.
 *
 * bench-tlp TPH-EMU [OTHER-TPH-EMU]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"

#define CONFIG	    VFIO_PCI_CONFIG_REGION_INDEX
#define COMMAND	    4
#define CACHE_LINE  12 /* of configuration space: nothing depends on it */
#define TPH_CONTROL 0x118
#define TLPS	    300000u
#define ROUNDS	    7
#define MEMORY	    (1u << 20)

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench-tlp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static pid_t start(const char *program, const char *socket, bool log)
{
	char function[128], byte;
	int ready[2];
	pid_t pid;

	snprintf(function, sizeof(function), "socket=%s", socket);
	must(!pipe2(ready, O_CLOEXEC), "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		dup2(ready[1], 3);
		if (log)
			execl(program, program, "--function", function, "--log", "/dev/null",
			      "--ready-fd", "3", (char *)NULL);
		else
			execl(program, program, "--function", function, "--no-log", "--ready-fd",
			      "3", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	must(read(ready[0], &byte, 1) == 1, program);
	close(ready[0]);
	return pid;
}

static void write32(struct client *client, unsigned int region, uint64_t at, uint32_t value)
{
	must(!client_write(client, region, at, &value, 4), "write");
}

static uint32_t read32(struct client *client, uint64_t at)
{
	uint32_t value = 0;

	must(!client_read(client, 0, at, &value, 4), "read");
	return value;
}

/* One command, which then is repeated after a write to configuration space. */
static void send_all(const char *socket)
{
	const struct vfu_dma_map map = { .argsz = sizeof(map), .flags = 3, .size = MEMORY };
	int memory = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	static struct client client;

	/* as QEMU has it */
	must(memory >= 0 && !ftruncate(memory, MEMORY) &&
		     !fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
	     "memory");
	must(!client_connect(&client, socket) && !client_version(&client), "connect");
	must(!client_call(&client, VFU_DMA_MAP, &map, sizeof(map), &memory, 1), "map");
	must(!client_write(&client, CONFIG, COMMAND, &(uint16_t){ 6 }, 2), "command");
	write32(&client, CONFIG, TPH_CONTROL, 0x301);
	write32(&client, 0, EP_DMA_LENGTH, 64);
	write32(&client, 0, EP_DMA_HINT, EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	write32(&client, 0, EP_DMA_DOORBELL, EP_DMA_WRITE);
	while (read32(&client, EP_DMA_STATUS) == EP_DMA_BUSY)
		;
	write32(&client, 0, EP_DMA_REPEAT, TLPS - 1);
	must(!client_write(&client, CONFIG, CACHE_LINE, "", 1), "repeat");
	/* not so often that answers are what is measured */
	while (read32(&client, EP_TRACE_HEAD) < TLPS)
		usleep(10000);
	client_close(&client);
	close(memory);
}

static double measure(const char *program, bool log)
{
	char folder[] = "/tmp/vfio-tph-bench.XXXXXX", socket[64], lock[80];
	struct rusage usage;
	pid_t pid;
	int status;

	must(mkdtemp(folder), folder);
	snprintf(socket, sizeof(socket), "%s/socket", folder);
	snprintf(lock, sizeof(lock), "%s.lock", socket);
	pid = start(program, socket, log);
	send_all(socket);
	kill(pid, SIGTERM);
	must(wait4(pid, &status, 0, &usage) == pid && !status, program);
	unlink(lock);
	rmdir(folder);
	return ((double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6) *
	       1e6 / TLPS;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double middle(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	double log[ROUNDS], none[ROUNDS], other[ROUNDS];

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: %s TPH-EMU [OTHER-TPH-EMU]\n", argv[0]);
		return 2;
	}
	for (int i = 0; i < ROUNDS; i++) {
		log[i] = measure(argv[1], true);
		none[i] = measure(argv[1], false);
		if (argc == 3)
			other[i] = measure(argv[2], true);
	}
	printf("a TLP of 64 bytes: %.2f us with a log, %.2f us without, ratio %.2f\n", middle(log),
	       middle(none), middle(none) / middle(log));
	if (argc == 3)
		printf("with a log, in units of %s (%.2f us): %.2f; without: %.2f\n", argv[2],
		       middle(other), middle(log) / middle(other), middle(none) / middle(other));
	return 0;
}
