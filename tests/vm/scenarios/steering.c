// SPDX-License-Identifier: MIT
/*
 * The examples with a TPH endpoint and tph-vfio-pci: a function steers only while it is attached
 * itself, whatever Linux leaves of the group's DMA. What happened is read where no driver can tell
 * a tale: in the emulator's registers, and in its log of the TLPs that it sent.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "../guest.h"
#include "scenarios.h"
#include "stage.h"

#define ENTRY		3
#define CPU		1
#define LOST_ENTRY	5
#define LOST_CPU	2
#define ENTRIES		64
#define ENABLE		0x300u
#define ECAP_TPH	0x17

#define DECIDED		"tph-vfio-pci"

/**
 * struct function - a TPH endpoint's function
 * @guest: for what guest.h does; its descriptor is the actor's
 * @set: the user has set ENTRY and enabled the requester, and nothing has ended it since
 */
struct function {
	struct actor actor;
	struct guest guest;
	bool set;
};

static void function_begin(struct function *f, const char *bdf)
{
	memset(f, 0, sizeof(*f));
	f->actor = (struct actor){ bdf, -1 };
	driver_set(bdf, "tph-vfio-pci");
	f->guest.bdf = bdf;
	f->guest.raw = guest_open_raw(bdf);
	f->guest.cap = raw_extended(bdf, ECAP_TPH);
	if (!f->guest.cap)
		give_up("%s has no TPH", bdf);
}

static void function_end(struct function *f)
{
	close(f->guest.raw);
}

static struct guest *guest_of(struct function *f)
{
	f->guest.fd = f->actor.fd;
	return &f->guest;
}

static bool requester_enabled(struct function *f)
{
	return guest_raw(guest_of(f), f->guest.cap + TPH_CTRL, 4) & ENABLE;
}

static bool table_filled(struct function *f)
{
	struct guest *g = guest_of(f);
	uint32_t left = 0;

	for (unsigned int entry = 0; entry < ENTRIES; entry += 2)
		left |= guest_raw(g, g->cap + TPH_TABLE + entry * 2, 4);
	return left;
}

/* What a write of the function looks like, if it arrives at all. */
static const char *on_the_wire(struct function *f)
{
	struct guest *g = guest_of(f);
	struct tlp tlp;

	guest_config_write(g, PCI_COMMAND, 2,
			   guest_config(g, PCI_COMMAND, 2) | PCI_COMMAND_MASTER |
				   PCI_COMMAND_MEMORY);
	if (guest_dma_fault(g, EP_DMA_WRITE, hint_entry(ENTRY, 2)) != EP_FAULT_NONE)
		return "no DMA";
	tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(ENTRY, 2));
	if (!tlp.th)
		return "plain";
	return tlp.width == 16 && tlp.st == TAG_VOLATILE_16(CPU) ? "tag" : "other tag";
}

/* Where the model sends the DMA, and our own rule: a tag only for one that is attached. */
static void wire_line(const char *id, const char *question, struct function *f)
{
	struct tph_group_member member = stage_member(f->actor.bdf);
	bool tagged = f->set && member.space;
	const char *happened = on_the_wire(f);

	if (tagged != requester_enabled(f))
		happened = tagged ? "off" : "not off";
	stage_line(id, question, stage_dma_of(f->actor.bdf) == NOWHERE ? "no DMA" : tagged ? "tag" :
		   "plain", happened, DECIDED, tagged ? "attached, and set up by its user" :
		   member.space ? "attached, but nothing was set up since" :
		   "the function itself is not attached: requester off");
}

/* Of one that is not open, so that it cannot be told to send: nothing is left for the next user. */
static void register_line(const char *id, const char *question, struct function *f)
{
	stage_line(id, question, "off", requester_enabled(f) || table_filled(f) ? "not off" :
		   "off", DECIDED,
		   "requester off, ST table zero");
}

/* The user tries to set up steering. */
static void try_line(const char *id, const char *question, struct function *f)
{
	bool attached = stage_member(f->actor.bdf).space;
	struct guest *g = guest_of(f);
	int ret = st_set_one(g, ENTRY, CPU);
	char happened[32];

	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	snprintf(happened, sizeof(happened), "%s", ret ? strerrorname_np(-ret) : "ok");
	if (!ret != !!(control_read(g) & ENABLE))
		snprintf(happened, sizeof(happened), "by halves");
	f->set = !ret;
	stage_line(id, question, attached ? "ok" : "EPERM", happened, DECIDED, attached ?
		   "it is attached, and its user may run on the CPU" :
		   "the function itself is not attached to an address space");
}

static void attach_line(const char *id, const char *question, struct function *f,
			const struct context *user, uint32_t space, int expected)
{
	play_attach(id, question, &f->actor, user, space, expected);
}

static void detach_line(const char *id, const char *question, struct function *f)
{
	play_detach(id, question, &f->actor, 0);
	f->set = false;
}

static void close_line(const char *id, const char *question, struct function *f)
{
	play_close(id, question, &f->actor);
	f->set = false;
}

static void steering_1(void)
{
	struct actor host = { T2, -1 };
	struct function f0, f1;
	struct context user;

	function_begin(&f0, T0);
	function_begin(&f1, T1);
	driver_set(T2, "e1000e");
	context_open(&user, 1);
	context_map(&user, DMA_IOVA);
	stage_begin("Steering, example 1: a TPH endpoint whose device has a function of the host",
		    T0);
	play_bind("1c", "f0 is bound, f2 has e1000e", &f0.actor, &user, -EPERM);
	register_line("1c", "does f0 steer?", &f0);
	play_close("1c", "f0 is closed", &f0.actor);
	play_take("1d", "f2 is taken from e1000e", &host, 0);
	play_bind("1e", "f0 is bound", &f0.actor, &user, 0);
	try_line("1e", "bound, not attached: may its user set up steering?", &f0);
	wire_line("1e", "what does f0 send?", &f0);
	play_give("1e'", "f2 is given to e1000e", &host, "e1000e", -EBUSY);
	attach_line("1e'", "f0 is attached", &f0, &user, 1, 0);
	try_line("1e'", "may its user set up steering now?", &f0);
	wire_line("1e'", "what does f0 send?", &f0);
	close_line("1e'", "f0 is closed", &f0);
	register_line("1e'", "does f0 steer?", &f0);
	stage_end();
	context_close(&user);
	function_end(&f0);
	function_end(&f1);
}

static void steering_2(void)
{
	struct context user, other;
	struct function f0, f1;

	function_begin(&f0, T0);
	function_begin(&f1, T1);
	driver_set(T2, NULL);
	context_open(&user, 1);
	context_map(&user, DMA_IOVA);
	context_open(&other, 2);
	stage_begin("Steering, example 2: two functions of a TPH endpoint, grouped for want of ACS",
		    T0);
	play_bind("2a", "f0 is bound", &f0.actor, &user, 0);
	play_bind("2a", "f1 is bound", &f1.actor, &user, 0);
	try_line("2a", "may f1's user set up steering?", &f1);
	wire_line("2a", "what does f0 send?", &f0);
	wire_line("2a", "what does f1 send?", &f1);
	attach_line("2b", "f0 is attached to address space 1", &f0, &user, 1, 0);
	try_line("2b", "may f0's user set up steering?", &f0);
	wire_line("2b", "what does f0 send?", &f0);
	try_line("2b", "Linux has opened f1's DMA too: may it steer, not attached?", &f1);
	wire_line("2b", "what does f1 send?", &f1);
	attach_line("2b", "f1 is attached to it too", &f1, &user, 1, 0);
	wire_line("2b", "does what was refused come by itself?", &f1);
	try_line("2b", "may f1's user set up steering now?", &f1);
	wire_line("2b", "what does f1 send?", &f1);
	detach_line("2c", "f1 is detached", &f1);
	wire_line("2c", "Linux leaves f1's DMA as it was: what does it send?", &f1);
	try_line("2c", "may f1's user set up steering?", &f1);
	wire_line("2c", "what does f1 send?", &f1);
	wire_line("2c", "and f0, which is attached still?", &f0);
	attach_line("2c'", "f1 is attached again", &f1, &user, 1, 0);
	wire_line("2c'", "does anything come back by itself?", &f1);
	try_line("2c'", "its user sets up steering", &f1);
	wire_line("2c'", "what does f1 send?", &f1);
	close_line("2d", "f1 is closed", &f1);
	register_line("2d", "does f1 steer?", &f1);
	wire_line("2d", "and f0?", &f0);
	play_bind("2d", "another user binds f1", &f1.actor, &other, -EPERM);
	register_line("2d", "does f1 steer?", &f1);
	close_line("2d", "that one closes it", &f1);
	play_take("2e", "f1 is taken from tph-vfio-pci", &f1.actor, 0);
	play_give("2f", "f1 is given to pci-stub", &f1.actor, "pci-stub", 0);
	register_line("2f", "does f1 steer?", &f1);
	wire_line("2f", "and f0?", &f0);
	detach_line("2f'", "f0, the last one, is detached", &f0);
	wire_line("2f'", "what does f0 send?", &f0);
	try_line("2f'", "may f0's user set up steering?", &f0);
	close_line("2f'", "f0 is closed", &f0);
	stage_end();
	context_close(&user);
	context_close(&other);
	function_end(&f0);
	function_end(&f1);
}

static void run_on_one_cpu(bool one)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(CPU, &set);
	if (!one)
		CPU_SET(LOST_CPU, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up("affinity: %s", strerror(errno));
}

static uint16_t entry_in_table(struct function *f, unsigned int entry)
{
	struct guest *g = guest_of(f);

	return (uint16_t)guest_raw(g, g->cap + TPH_TABLE + entry * 2, 2);
}

/* The user loses a CPU, and at once the device moves: what it held for that CPU must not. */
static void replace_with_less(struct function *f, const struct context *user)
{
	struct guest *g = guest_of(f);
	uint16_t before, after;
	char because[96];
	int ret;

	ret = st_set_one(g, LOST_ENTRY, LOST_CPU);
	before = entry_in_table(f, LOST_ENTRY);
	run_on_one_cpu(true);
	attach_line("3c'", "f1 moves back, after its user has lost a CPU", f, user, 1, 0);
	after = entry_in_table(f, LOST_ENTRY);
	snprintf(because, sizeof(because), "ST entry %d: set: %s, then %#x, after the replace %#x",
		 LOST_ENTRY, ret ? "no" : "yes", before, after);
	stage_line("3c'", "does the entry for that CPU go with it?", "no",
		   ret || before != TAG_VOLATILE_16(LOST_CPU) ? "never set" : after ? "yes" : "no",
		   DECIDED, because);
	wire_line("3c'", "what does f1 send for the entry that it may keep?", f);
}

static void steering_3(void)
{
	struct function f0, f1;
	struct context user;

	function_begin(&f0, T0);
	function_begin(&f1, T1);
	driver_set(T2, NULL);
	context_open(&user, 1);
	context_map(&user, DMA_IOVA);
	run_on_one_cpu(false);
	stage_begin("Steering, example 3: one member moves to another address space", T0);
	play_bind("3a", "f0 is bound", &f0.actor, &user, 0);
	play_bind("3a", "f1 is bound", &f1.actor, &user, 0);
	attach_line("3a", "f0 is attached to address space 1", &f0, &user, 1, 0);
	attach_line("3a", "f1 is attached to address space 1", &f1, &user, 1, 0);
	try_line("3a", "f0's user sets up steering", &f0);
	try_line("3a", "f1's user sets up steering", &f1);
	detach_line("3b", "f1 is detached", &f1);
	wire_line("3b", "what does f1 send?", &f1);
	attach_line("3c", "f1 is attached to a new address space", &f1, &user, 2, -EINVAL);
	try_line("3c", "may f1's user set up steering?", &f1);
	wire_line("3c", "what does f1 send?", &f1);
	attach_line("3c'", "f1 is attached to address space 1", &f1, &user, 1, 0);
	try_line("3c'", "f1's user sets up steering", &f1);
	attach_line("3c'", "and moves it to address space 2", &f1, &user, 2, 0);
	wire_line("3c'", "what does f1 send?", &f1);
	wire_line("3c'", "and f0, which moved with it, attached all the time?", &f0);
	replace_with_less(&f1, &user);
	close_line("3c'", "f1 is closed", &f1);
	close_line("3c'", "f0 is closed", &f0);
	register_line("3c'", "does f0 steer?", &f0);
	register_line("3c'", "does f1 steer?", &f1);
	stage_end();
	context_close(&user);
	function_end(&f0);
	function_end(&f1);
}

void steering(void)
{
	steering_1();
	steering_2();
	steering_3();
}
