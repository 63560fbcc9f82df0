// SPDX-License-Identifier: MIT
/* Tags that outlive the interrupt vectors whose entries they are in. */
#include <pthread.h>

#include "attack.h"

/* Linux keeps the tag of a freed vector and writes it back with the next one's mask bit. */
static bool stale_tag(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	vectors_off(g);
	if (ours)
		operator_cpus(attack->bdf, "0,2,3");
	vectors_on(g);
	return sends_tag(g, 0, HIS_TAG);
}

/* The tag of a vector that is not there. */
static bool no_vector(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	vectors_off(g);
	return sends_tag(g, 0, HIS_TAG);
}

static volatile bool stop;

static void *vectors_come_and_go(void *arg)
{
	while (!stop) {
		vectors_off(arg);
		vectors_on(arg);
	}
	return NULL;
}

/* Take the CPU back while vectors come and go: once that is done, no TLP has the tag. */
static bool race(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	bool succeeds = false;
	pthread_t thread;
	int i, seen = 0;

	assert_int_equal(pthread_create(&thread, NULL, vectors_come_and_go, g), 0);
	for (i = 0; i < 6 && !succeeds; i++) {
		assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
		seen += sends_tag(g, 0, HIS_TAG);
		operator_cpus(attack->bdf, "0,2,3");
		succeeds = sends_tag(g, 0, HIS_TAG) || sends_tag(g, 0, HIS_TAG);
		operator_cpus(attack->bdf, "0-3");
		succeeds = succeeds || sends_tag(g, 0, HIS_TAG);
	}
	stop = true;
	pthread_join(thread, NULL);
	succeeds = succeeds || sends_tag(g, 0, HIS_TAG);
	/* the tag was there to be kept */
	assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
	seen += sends_tag(g, 0, HIS_TAG);
	assert_int_not_equal(seen, 0);
	return succeeds;
}

const struct attack vector_attacks[] = {
	{ "stale-tag-in-new-vector", stale_tag, AT_MSIX, STOCK_OPEN, NULL, "attack/vectors.c" },
	{ "tag-without-vector", no_vector, AT_MSIX, STOCK_OPEN, NULL, "attack/vectors.c" },
	{ "race-vectors-revocation", race, AT_MSIX, STOCK_WITHOUT, "n/a: nothing is taken back",
	  "attack/vectors.c" },
	{ 0 }
};
