// SPDX-License-Identifier: MIT
/* Which host CPU stands for a virtual one, by where its thread may run and where it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "placement.h"
#include "simulated_tree.h"
#include "tph.h"

static struct caches *caches;

/* CPUs 0-3 share a cache, and so do 4-7. */
static int setup(void **context)
{
	(void)context;
	caches = calloc(1, sizeof(*caches));
	for (uint32_t cpu = 0; cpu < CPU_LIST_MAX; cpu++)
		caches->of[cpu] = cpu < 8 ? cpu & ~3u : cpu;
	return !caches;
}

static int teardown(void **context)
{
	(void)context;
	free(caches);
	return 0;
}

static struct cpu_list list(const char *text)
{
	struct cpu_list list;
	char item[32];

	assert_null(cpu_list_parse(text, &list, item, sizeof(item)));
	return list;
}

static uint32_t decide(struct placement *placement, const char *may, const char *granted,
		       uint32_t last)
{
	const struct cpu_list may_run = list(may), may_steer = list(granted);
	const uint32_t before = placement->cpu;
	const bool changed = placement_update(placement, &may_run, &may_steer, last, caches);

	assert_int_equal(changed, placement->cpu != before);
	return placement->cpu;
}

static void what_is_not_granted_stands_for_nothing(void **context)
{
	struct placement placement;

	(void)context;
	placement_init(&placement);
	assert_int_equal(placement.cpu, TPH_CPU_NONE);
	assert_int_equal(decide(&placement, "2", "0-1,3-7", 2), TPH_CPU_NONE);
	assert_int_equal(decide(&placement, "4-7", "0-3", 4), TPH_CPU_NONE);
	/* another of the same cache does as well */
	assert_int_equal(decide(&placement, "2-3", "3", 2), 3);
	assert_int_equal(decide(&placement, "2-3", "0-1", 2), TPH_CPU_NONE);
}

static void pinned_one_is_followed_at_once(void **context)
{
	struct placement placement;

	(void)context;
	placement_init(&placement);
	assert_int_equal(decide(&placement, "2", "0-7", TPH_CPU_NONE), 2);
	assert_int_equal(decide(&placement, "5", "0-7", TPH_CPU_NONE), 5);
}

static void what_does_stays(void **context)
{
	struct placement placement;

	(void)context;
	placement_init(&placement);
	assert_int_equal(decide(&placement, "1-3", "0-7", TPH_CPU_NONE), 1);
	assert_int_equal(decide(&placement, "0-3", "0-7", TPH_CPU_NONE), 1);
	assert_int_equal(decide(&placement, "0-3", "0,2-7", TPH_CPU_NONE), 0);
	assert_int_equal(decide(&placement, "0-3", "0-7", TPH_CPU_NONE), 0);
}

static void floating_one_needs_three_quarters_of_the_samples(void **context)
{
	struct placement placement;

	(void)context;
	placement_init(&placement);
	for (int i = 0; i < PLACEMENT_SAMPLES - 1; i++)
		assert_int_equal(decide(&placement, "0-7", "0-7", 5), TPH_CPU_NONE);
	assert_int_equal(decide(&placement, "0-7", "0-7", 5), 4);

	/* half and half: that of now stays; then less: none */
	for (int i = 0; i < PLACEMENT_SAMPLES / 2; i++)
		assert_int_equal(decide(&placement, "0-7", "0-7", 1), 4);
	assert_int_equal(decide(&placement, "0-7", "0-7", 1), TPH_CPU_NONE);
	for (int i = 0; i < PLACEMENT_SAMPLES / 4 - 2; i++)
		assert_int_equal(decide(&placement, "0-7", "0-7", 1), TPH_CPU_NONE);
	assert_int_equal(decide(&placement, "0-7", "0-7", 1), 0);

	/* from one cache to another and back: neither */
	placement_init(&placement);
	for (int i = 0; i < 3 * PLACEMENT_SAMPLES; i++)
		assert_int_equal(decide(&placement, "0-7", "0-7", i % 2 ? 1 : 5), TPH_CPU_NONE);
}

static void samples_end_with_what_they_are_about(void **context)
{
	struct placement placement;

	(void)context;
	placement_init(&placement);
	for (int i = 0; i < PLACEMENT_SAMPLES; i++)
		decide(&placement, "0-7", "0-7", 5);
	assert_int_equal(placement.cpu, 4);
	assert_int_equal(decide(&placement, "0-3", "0-7", 1), 0);
	/* free again: what was before says nothing */
	assert_int_equal(decide(&placement, "0-7", "0-7", 1), TPH_CPU_NONE);
	/* where it was is not known */
	for (int i = 0; i < 2 * PLACEMENT_SAMPLES; i++)
		assert_int_equal(decide(&placement, "0-7", "0-7", TPH_CPU_NONE), TPH_CPU_NONE);
}

static void thread_without_a_cpu_stands_nowhere(void **context)
{
	const struct cpu_list none = { 0 }, all = list("0-7");
	struct placement placement = { .cpu = 3 };

	(void)context;
	assert_true(placement_update(&placement, &none, &all, 3, caches));
	assert_int_equal(placement.cpu, TPH_CPU_NONE);
}

#define CPU	"devices/system/cpu/cpu"

static void caches_are_those_of_the_last_level(void **context)
{
	static const char *const shared[] = { "0-1", "0-1", "2-3", "2-3" };
	char path[128];

	(void)context;
	tree_empty(TREE);
	tree_text(TREE, "devices/system/cpu/online", "0-6\n");
	for (int cpu = 0; cpu < 4; cpu++) {
		snprintf(path, sizeof(path), CPU "%d/cache/index0/level", cpu);
		tree_text(TREE, path, "1\n");
		snprintf(path, sizeof(path), CPU "%d/cache/index0/shared_cpu_list", cpu);
		tree_text(TREE, path, "0-6\n");
		snprintf(path, sizeof(path), CPU "%d/cache/index2/level", cpu);
		tree_text(TREE, path, "3\n");
		snprintf(path, sizeof(path), CPU "%d/cache/index2/shared_cpu_list", cpu);
		tree_text(TREE, path, shared[cpu]);
	}
	/* what makes no sense, and what leaves out itself */
	tree_text(TREE, CPU "5/cache/index0/level", "high\n");
	tree_text(TREE, CPU "5/cache/index0/shared_cpu_list", "4-5\n");
	tree_text(TREE, CPU "6/cache/index0/level", "3\n");
	tree_text(TREE, CPU "6/cache/index0/shared_cpu_list", "4-5\n");
	caches_read(TREE, caches);
	assert_int_equal(caches->of[1], 0);
	assert_int_equal(caches->of[2], 2);
	assert_int_equal(caches->of[3], 2);
	for (uint32_t cpu = 4; cpu < 8; cpu++)
		assert_int_equal(caches->of[cpu], cpu);
	tree_remove(TREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_not_granted_stands_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(thread_without_a_cpu_stands_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(pinned_one_is_followed_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(floating_one_needs_three_quarters_of_the_samples, setup,
						teardown),
		cmocka_unit_test_setup_teardown(samples_end_with_what_they_are_about, setup, teardown),
		cmocka_unit_test_setup_teardown(caches_are_those_of_the_last_level, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
