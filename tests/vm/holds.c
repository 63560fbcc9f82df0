// SPDX-License-Identifier: MIT
/*
 * How long the device's lock is held, by the kernel's tracepoints of locks: a CPU that goes offline,
 * a reset and root's word on the CPU list wait for it. What counts is how often hardware is written
 * in one hold; how long that takes is printed as a multiple of what one entry takes in the same run.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "guest.h"

#define TRACING	 "/sys/kernel/tracing/"
#define IN_FORCE (TPH_CTRL_IV | TPH_CTRL_16)
#define ENTRIES	 64
#define LEASES	 64
#define SYSFS	 "/sys/bus/pci/devices/"

/* Requester off, 64 tags of 16 bits two at a time, requester on; and a read to see it is. */
#define WRITES_WHOLE_TABLE (1 + ENTRIES / 2 + 1)

struct held {
	unsigned int holds;
	unsigned int writes;	/* of hardware, in one hold, at most */
	double longest;		/* seconds */
};

static void trace_begin(void)
{
	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 4096 >buffer_size_kb &&"
		      " echo mono >trace_clock && echo >trace");
	guest_command("cd " TRACING "events/lock && f='name == \"&tph->lock\"' &&"
		      " echo \"$f\" >lock_acquire/filter && echo \"$f\" >lock_release/filter &&"
		      " echo 1 >lock_acquire/enable && echo 1 >lock_release/enable &&"
		      " echo 1 >../tph_vfio_pci/tph_apply/enable");
	guest_command("echo 1 >" TRACING "tracing_on");
}

/* An acquisition is told when it is asked for: who asks while another holds it begins at its end. */
static struct held trace_end(void)
{
	struct held held = { 0 };
	unsigned int wanting = 0, writes = 0;
	double now, since = 0;
	char line[512], *at;
	FILE *trace;

	guest_command("cd " TRACING " && echo 0 >tracing_on && echo 0 >events/enable");
	guest_command("! grep -h overrun: " TRACING "per_cpu/cpu*/stats | grep -v 'overrun: 0'");
	trace = fopen(TRACING "trace", "r");
	assert_non_null(trace);
	while (fgets(line, sizeof(line), trace)) {
		bool acquire = strstr(line, ": lock_acquire:"), release = strstr(line, ": lock_release:");

		if (strstr(line, ": tph_apply:"))
			writes++;
		if (!acquire && !release)
			continue;
		at = strstr(line, acquire ? ": lock_acquire:" : ": lock_release:");
		while (at > line && at[-1] != ' ')
			at--;
		assert_int_equal(sscanf(at, "%lf", &now), 1);
		if (acquire) {
			if (!wanting++) {
				since = now;
				writes = 0;
			}
			continue;
		}
		if (!wanting)
			continue;
		wanting--;
		held.holds++;
		if (writes > held.writes)
			held.writes = writes;
		if (now - since > held.longest)
			held.longest = now - since;
		since = now;
		writes = 0;
	}
	fclose(trace);
	return held;
}

static struct held measure(struct guest *g, void (*act)(struct guest *g))
{
	trace_begin();
	act(g);
	return trace_end();
}

/* What changes no tag is not written. */
static unsigned int shift;

static void set_entries(struct guest *g, unsigned int count)
{
	uint32_t cpus[ENTRIES];
	unsigned int i;

	for (i = 0; i < count; i++)
		cpus[i] = (i + shift) % 3;
	assert_int_equal(st_set(g, 0, 0, count, cpus), 0);
}

static void set_one(struct guest *g)
{
	shift++;
	set_entries(g, 1);
}

static void set_all(struct guest *g)
{
	shift++;
	set_entries(g, ENTRIES);
}

static void set_the_same(struct guest *g)
{
	set_entries(g, ENTRIES);
}

static void enable(struct guest *g)
{
	control(g, 0);
	control(g, IN_FORCE);
}

/* Reviews that nobody asks for. */
static void be_reviewed(struct guest *g)
{
	(void)g;
	usleep(1600000);
}

static void shrink(struct guest *g)
{
	guest_command("echo 3 >" SYSFS "%s/tph/cpus", g->bdf);
}

static void reset(struct guest *g)
{
	guest_command("echo 1 >" SYSFS "%s/reset", g->bdf);
}

static double unit;

static void say(const char *what, struct held held)
{
	print_message("# %s: %u holds, %u writes of hardware in one at most, the longest %.1f times that"
		      " of one entry\n", what, held.holds, held.writes, held.longest / unit);
}

static void one_hold_is_bounded(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	struct held held;

	(void)state;
	set_all(g);
	control(g, IN_FORCE);
	set_one(g);
	measure(g, set_one);
	/* not the first, which pays for cold caches */
	held = measure(g, set_one);
	/* requester off, one dword, requester on */
	assert_int_equal(held.writes, 3);
	unit = held.longest;
	say("SET of one entry", held);
	held = measure(g, set_all);
	say("SET of 64 entries", held);
	assert_int_equal(held.writes, WRITES_WHOLE_TABLE);
	held = measure(g, set_the_same);
	assert_int_equal(held.writes, 0);
	held = measure(g, enable);
	say("disable and enable", held);
	assert_in_range(held.writes, WRITES_WHOLE_TABLE - 1, WRITES_WHOLE_TABLE);
	held = measure(g, be_reviewed);
	say("reviews of 64 entries", held);
	/* one for each lease there could be, and a few around; of the reviews there are three or four */
	assert_in_range(held.holds, 2, 5 * (LEASES + 8));
	assert_int_equal(held.writes, 0);
	held = measure(g, reset);
	say("reset", held);
	/* and once more off, for a reset can have enabled it */
	assert_in_range(held.writes, WRITES_WHOLE_TABLE - 1, WRITES_WHOLE_TABLE + 1);
	held = measure(g, shrink);
	say("64 entries taken back", held);
	assert_int_equal(held.writes, WRITES_WHOLE_TABLE);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_hold_is_bounded),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
