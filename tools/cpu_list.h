/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of CPUs, written as the kernel writes them: "2-5,8". */
#ifndef CPU_LIST_H
#define CPU_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* more CPUs than any kernel is built for */
#define CPU_LIST_MAX	65536

/* As much as a sysfs attribute shows, and its end. */
#define CPU_LIST_SIZE	4097

/* struct cpu_list - one bit for each CPU */
struct cpu_list {
	uint64_t bits[CPU_LIST_MAX / 64];
};

const char *cpu_list_parse(const char *text, struct cpu_list *list, char *item, size_t size);
bool cpu_list_text(const struct cpu_list *list, char text[CPU_LIST_SIZE]);
bool cpu_list_has(const struct cpu_list *list, uint32_t cpu);
bool cpu_list_empty(const struct cpu_list *list);
bool cpu_list_missing(const struct cpu_list *list, const struct cpu_list *all, uint32_t *cpu);
void cpu_list_intersect(struct cpu_list *list, const struct cpu_list *other);
uint32_t cpu_list_first(const struct cpu_list *list);
uint32_t cpu_list_next(const struct cpu_list *list, uint32_t cpu);
int cpu_list_affinity(struct cpu_list *list);
int cpu_list_affinity_of(int thread, struct cpu_list *list);
int cpu_list_read(const char *sysfs, const char *which, struct cpu_list *list);

#endif /* CPU_LIST_H */
