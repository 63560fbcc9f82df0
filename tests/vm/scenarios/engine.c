// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "engine.h"
#include "kernel.h"

#define BAR_SIZE	0x100000
#define EDU_ID		0x00
#define  EDU_ID_MASK	0xffff
#define  EDU_ID_VALUE	0x00ed
#define EDU_SOURCE	0x80
#define EDU_TARGET	0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define  EDU_START	1u
#define  EDU_TO_MEMORY	2u
#define EDU_BUFFER	0x40000	/* of the device; zero unless something was read */

void engine_open(struct engine *engine, const char *bdf)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	engine->config = open(path, O_RDWR | O_CLOEXEC);
	if (engine->config < 0)
		give_up("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		give_up("%s: %s", path, strerror(errno));
	engine->registers = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (engine->registers == MAP_FAILED)
		give_up("%s: %s", path, strerror(errno));
	close(fd);
}

void engine_close(struct engine *engine)
{
	munmap((void *)engine->registers, BAR_SIZE);
	close(engine->config);
}

static void engine_set(struct engine *engine, unsigned int at, uint32_t value)
{
	engine->registers[at / 4] = value;
}

/* VFIO takes bus mastering away at open and close: a device that does what it likes has it. */
static void become_master(struct engine *engine)
{
	uint16_t command;

	if (pread(engine->config, &command, 2, PCI_COMMAND) != 2)
		give_up("edu's command register: %s", strerror(errno));
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(engine->config, &command, 2, PCI_COMMAND) != 2)
		give_up("edu's command register: %s", strerror(errno));
}

void engine_begin(struct engine *engine, uint32_t address)
{
	become_master(engine);
	if ((engine->registers[EDU_ID / 4] & EDU_ID_MASK) != EDU_ID_VALUE)
		give_up("edu's id reads as %#x", engine->registers[EDU_ID / 4]);
	engine_set(engine, EDU_SOURCE, EDU_BUFFER);
	engine_set(engine, EDU_TARGET, address);
	engine_set(engine, EDU_COUNT, 4);
	engine_set(engine, EDU_COMMAND, EDU_START | EDU_TO_MEMORY);
}

bool engine_busy(struct engine *engine)
{
	return engine->registers[EDU_COMMAND / 4] & EDU_START;
}

void engine_write(struct engine *engine, uint32_t address)
{
	engine_begin(engine, address);
	while (engine_busy(engine))
		usleep(1000);
}
