// SPDX-License-Identifier: GPL-2.0-only
/* Which host CPU stands for a virtual one: see placement.h. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "operand.h"
#include "placement.h"
#include "sysfs_file.h"
#include "tph.h"

#define INDEXES		8	/* caches of a CPU: two of the first level, and one of each other */

static bool read_cache(const char *sysfs, uint32_t cpu, int index, const char *attribute, char *text,
		       size_t size)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/devices/system/cpu/cpu%u/cache/index%d/%s", sysfs,
			cpu, index, attribute) < (int)sizeof(path) &&
	       !sysfs_read_text(path, text, size);
}

static uint32_t cache_of(const char *sysfs, uint32_t cpu)
{
	char text[CPU_LIST_SIZE], item[32];
	uint32_t level, highest = 0, first = cpu;
	struct cpu_list shared;

	for (int index = 0; index < INDEXES; index++) {
		if (!read_cache(sysfs, cpu, index, "level", text, sizeof(text)) ||
		    !number_parse(text, INT_MAX, &level) || level < highest ||
		    !read_cache(sysfs, cpu, index, "shared_cpu_list", text, sizeof(text)) ||
		    cpu_list_parse(text, &shared, item, sizeof(item)) || !cpu_list_has(&shared, cpu))
			continue;
		highest = level;
		first = cpu_list_first(&shared);
	}
	return first;
}

void caches_read(const char *sysfs, struct caches *caches)
{
	struct cpu_list online;

	for (uint32_t cpu = 0; cpu < CPU_LIST_MAX; cpu++)
		caches->of[cpu] = cpu;
	if (cpu_list_read(sysfs, "online", &online))
		return;
	for (uint32_t cpu = cpu_list_first(&online); cpu < CPU_LIST_MAX;
	     cpu = cpu_list_next(&online, cpu))
		caches->of[cpu] = cache_of(sysfs, cpu);
}

void placement_init(struct placement *placement)
{
	*placement = (struct placement){ .cpu = TPH_CPU_NONE };
}

bool placement_spans(const struct cpu_list *may, const struct caches *caches)
{
	uint32_t first = cpu_list_first(may), cpu = first;

	while (cpu < CPU_LIST_MAX && caches->of[cpu] == caches->of[first])
		cpu = cpu_list_next(may, cpu);
	return cpu < CPU_LIST_MAX;
}

static void sample(struct placement *placement, uint32_t cache)
{
	placement->samples[placement->next] = cache;
	placement->next = (placement->next + 1) % PLACEMENT_SAMPLES;
	if (placement->taken < PLACEMENT_SAMPLES)
		placement->taken++;
}

static unsigned int samples_of(const struct placement *placement, uint32_t cache)
{
	unsigned int same = 0;

	for (unsigned int i = 0; i < PLACEMENT_SAMPLES; i++)
		same += placement->samples[i] == cache;
	return same;
}

/*
 * The cache that three quarters of the samples are of; that of now, while half are.
 * Return: TPH_CPU_NONE: there is none, or not yet.
 */
static uint32_t usual_cache(const struct placement *placement, const struct caches *caches)
{
	if (placement->taken < PLACEMENT_SAMPLES)
		return TPH_CPU_NONE;
	if (placement->cpu != TPH_CPU_NONE) {
		uint32_t cache = caches->of[placement->cpu];

		if (2 * samples_of(placement, cache) >= PLACEMENT_SAMPLES)
			return cache;
	}
	/* one that has so many has one of the first of them */
	for (unsigned int i = 0; i <= PLACEMENT_SAMPLES / 4; i++)
		if (4 * samples_of(placement, placement->samples[i]) >= 3 * PLACEMENT_SAMPLES)
			return placement->samples[i];
	return TPH_CPU_NONE;
}

bool placement_update(struct placement *placement, const struct cpu_list *may,
		      const struct cpu_list *granted, uint32_t last, const struct caches *caches)
{
	const uint32_t before = placement->cpu, first = cpu_list_first(may);
	uint32_t cache, chosen = TPH_CPU_NONE;

	if (first == CPU_LIST_MAX) {
		cache = TPH_CPU_NONE;
	} else if (placement_spans(may, caches)) {
		if (last < CPU_LIST_MAX)
			sample(placement, caches->of[last]);
		cache = usual_cache(placement, caches);
	} else {
		placement->taken = placement->next = 0;
		cache = caches->of[first];
	}
	for (uint32_t cpu = first; cache != TPH_CPU_NONE && cpu < CPU_LIST_MAX;
	     cpu = cpu_list_next(may, cpu)) {
		if (caches->of[cpu] != cache || !cpu_list_has(granted, cpu))
			continue;
		if (chosen == TPH_CPU_NONE || cpu == before)
			chosen = cpu;
	}
	placement->cpu = chosen;
	return chosen != before;
}
