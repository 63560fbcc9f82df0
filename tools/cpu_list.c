// SPDX-License-Identifier: GPL-2.0-only
/* Sets of CPUs: see cpu_list.h. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "cpu_list.h"
#include "operand.h"
#include "sysfs.h"

#define WORDS		(CPU_LIST_MAX / 64)
#define PART_SIZE	32
#define BITS		(8 * (uint32_t)sizeof(unsigned long))

static void add(struct cpu_list *list, uint32_t cpu)
{
	list->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

/* CPU or CPU-CPU. Return: NULL, or what is wrong with it. */
static const char *item_parse(const char *item, struct cpu_list *list)
{
	const char *dash = strchr(item, '-');
	char first_text[PART_SIZE];
	uint32_t first, last;

	snprintf(first_text, sizeof(first_text), "%.*s",
		 (int)(dash ? (size_t)(dash - item) : strlen(item)), item);
	if (!number_parse(first_text, CPU_LIST_MAX - 1, &first) ||
	    !number_parse(dash ? dash + 1 : first_text, CPU_LIST_MAX - 1, &last))
		return "it is neither a number from 0 to 65535 nor a range of such";
	if (first > last)
		return "the range falls";
	for (uint32_t cpu = first; cpu <= last; cpu++)
		add(list, cpu);
	return NULL;
}

/**
 * cpu_list_parse() - read a CPU list; the empty text is the empty list
 * @item: receives the part at fault
 * @size: of @item
 *
 * Return: NULL, or what is wrong with it.
 */
const char *cpu_list_parse(const char *text, struct cpu_list *list, char *item, size_t size)
{
	char part[PART_SIZE];

	memset(list, 0, sizeof(*list));
	while (*text) {
		size_t length = strcspn(text, ",");
		const char *wrong;

		snprintf(part, sizeof(part), "%.*s", (int)length, text);
		wrong = length < sizeof(part) ? item_parse(part, list) :
			"it is too long for a range of CPUs";
		if (!wrong && text[length] && !text[length + 1])
			wrong = "a comma ends it";
		if (wrong) {
			snprintf(item, size, "%s", *part ? part : text);
			return wrong;
		}
		text += length + !!text[length];
	}
	return NULL;
}

/* The first CPU from @cpu on that is in @bits, or not if @in is false; CPU_LIST_MAX without one. */
static uint32_t next_cpu(const uint64_t bits[WORDS], uint32_t cpu, bool in)
{
	while (cpu < CPU_LIST_MAX) {
		uint64_t word = (in ? bits[cpu / 64] : ~bits[cpu / 64]) >> cpu % 64;

		if (word)
			return cpu + (uint32_t)__builtin_ctzll(word);
		cpu += 64 - cpu % 64;
	}
	return CPU_LIST_MAX;
}

/** cpu_list_text() - write it as the kernel does. Return: whether an attribute could take it. */
bool cpu_list_text(const struct cpu_list *list, char text[CPU_LIST_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t first = next_cpu(list->bits, 0, true), last; first < CPU_LIST_MAX;
	     first = next_cpu(list->bits, last + 1, true)) {
		last = next_cpu(list->bits, first, false) - 1;
		used += (size_t)snprintf(text + used, CPU_LIST_SIZE - used, "%s%u",
					 used ? "," : "", first);
		if (last > first && used < CPU_LIST_SIZE)
			used += (size_t)snprintf(text + used, CPU_LIST_SIZE - used, "-%u", last);
		if (used >= CPU_LIST_SIZE)
			return false;
	}
	return true;
}

/** cpu_list_has() - whether @cpu is in it. */
bool cpu_list_has(const struct cpu_list *list, uint32_t cpu)
{
	return cpu < CPU_LIST_MAX && list->bits[cpu / 64] >> cpu % 64 & 1;
}

/** cpu_list_empty() - whether no CPU is in it. */
bool cpu_list_empty(const struct cpu_list *list)
{
	for (size_t i = 0; i < WORDS; i++)
		if (list->bits[i])
			return false;
	return true;
}

/** cpu_list_missing() - whether it has CPUs that @all lacks; @cpu receives the first. */
bool cpu_list_missing(const struct cpu_list *list, const struct cpu_list *all, uint32_t *cpu)
{
	for (size_t i = 0; i < WORDS; i++) {
		const uint64_t missing = list->bits[i] & ~all->bits[i];

		if (missing) {
			*cpu = (uint32_t)(64 * i) + (uint32_t)__builtin_ctzll(missing);
			return true;
		}
	}
	return false;
}

/** cpu_list_intersect() - leave those that are also in @other. */
void cpu_list_intersect(struct cpu_list *list, const struct cpu_list *other)
{
	for (size_t i = 0; i < WORDS; i++)
		list->bits[i] &= other->bits[i];
}

/** cpu_list_affinity() - the CPUs that this process may run on. Return: 0 or -errno. */
int cpu_list_affinity(struct cpu_list *list)
{
	return cpu_list_affinity_of(0, list);
}

/** cpu_list_affinity_of() - the CPUs that a thread may run on; 0: the caller. Return: 0 or -errno. */
int cpu_list_affinity_of(int thread, struct cpu_list *list)
{
	size_t size = CPU_ALLOC_SIZE(CPU_LIST_MAX);
	cpu_set_t *set = CPU_ALLOC(CPU_LIST_MAX);
	int error = 0;

	memset(list, 0, sizeof(*list));
	if (!set)
		return -ENOMEM;
	if (sched_getaffinity(thread, size, set))
		error = -errno;
	/* a set of the C library is an array of unsigned long, from the lowest CPU on */
	for (uint32_t cpu = 0; !error && cpu < CPU_LIST_MAX; cpu++) {
		if (cpu % BITS == 0 && !((const unsigned long *)set)[cpu / BITS])
			cpu += BITS - 1;
		else if (CPU_ISSET_S(cpu, size, set))
			add(list, cpu);
	}
	CPU_FREE(set);
	return error;
}

/** cpu_list_first() - the lowest; CPU_LIST_MAX: there is none. */
uint32_t cpu_list_first(const struct cpu_list *list)
{
	return next_cpu(list->bits, 0, true);
}

/** cpu_list_next() - the next after @cpu; CPU_LIST_MAX: there is none. */
uint32_t cpu_list_next(const struct cpu_list *list, uint32_t cpu)
{
	return next_cpu(list->bits, cpu + 1, true);
}

/** cpu_list_read() - the machine's CPUs: @which is "possible" or "online". 0 or -errno. */
int cpu_list_read(const char *sysfs, const char *which, struct cpu_list *list)
{
	char path[PATH_MAX], text[CPU_LIST_SIZE], item[32];
	int error;

	if (snprintf(path, sizeof(path), "%s/devices/system/cpu/%s", sysfs, which) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	error = sysfs_read_text(path, text, sizeof(text));
	if (!error && cpu_list_parse(text, list, item, sizeof(item)))
		error = -EIO;
	return error;
}
