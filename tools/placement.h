/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which host CPU stands for a virtual CPU that may run on several. Tags of CPUs that share the last
 * level of cache lead to the same one, so any of these does. A tag of another cache evicts somebody
 * else's lines, and none costs no more than the benefit: where it is not clear, there is none.
 */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu_list.h"

/* Of so many samples three quarters have to be in one cache. */
#define PLACEMENT_SAMPLES	16

/* struct caches - the lowest CPU of those that share the last level of cache, for each CPU */
struct caches {
	uint32_t of[CPU_LIST_MAX];
};

/**
 * struct placement - of one virtual CPU
 * @cpu: what stands for it, or TPH_CPU_NONE
 * @samples: caches where it was, @taken of them, the next one at @next
 */
struct placement {
	uint32_t cpu;
	uint32_t samples[PLACEMENT_SAMPLES];
	unsigned int taken, next;
};

/** caches_read() - which CPUs share a cache; one of which sysfs says nothing shares none. */
void caches_read(const char *sysfs, struct caches *caches);

/** placement_init() - of one that has just come. */
void placement_init(struct placement *placement);

/** placement_spans() - whether CPUs are of several caches, so that samples are wanted. */
bool placement_spans(const struct cpu_list *may, const struct caches *caches);

/**
 * placement_update() - decide anew
 * @may: where its thread may run
 * @granted: of which CPUs the device may have tags
 * @last: where it ran last, or TPH_CPU_NONE; a sample, if it may run in several caches
 *
 * What stands for it stays as long as it does: each change is one for the device, too.
 *
 * Return: whether @placement->cpu is another now.
 */
bool placement_update(struct placement *placement, const struct cpu_list *may,
		      const struct cpu_list *granted, uint32_t last, const struct caches *caches);

#endif /* PLACEMENT_H */
