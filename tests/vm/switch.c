// SPDX-License-Identifier: MIT
/*
 * Endpoints behind switches. An extended tag travels in an End-End TLP prefix (PCIe 6.2, 2.2.10),
 * which a switch may not know (7.5.3.15) or be told to block (7.5.3.16); where requests go between
 * endpoints of one switch; and which functions Linux takes for one group there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../lab/importer/importer.h"
#include "guest.h"
#include "tph.h"
#include "tph_group.h"

/* The machine (tests/vm/run). One switch forwards prefixes, ... */
#define FORWARDING_ROOT	"0000:00:01.0"
#define FORWARDING_UP	"0000:01:00.0"
#define FORWARDING_DOWN	"0000:02:02.0"	/* above FORWARDED */
#define FORWARDED_MEMORY "0000:03:00.0"	/* takes 8-bit and 16-bit tags into BAR 2 */
#define FORWARDED	"0000:04:00.0"
#define RID_FORWARDED	0x0400u
/* ... one does not know them, ... */
#define IGNORANT_UP	"0000:05:00.0"
#define IGNORANT_DOWN	"0000:06:02.0"	/* above NARROWED */
#define NARROWED_MEMORY	"0000:07:00.0"
#define NARROWED	"0000:08:00.0"
#define RID_NARROWED	0x0800u
/* ... one has its downstream ports as functions of a device, ... */
#define PAIR_PORTS	"0000:0a:00"
#define PAIR_ONE	"0000:0b:00.0"
#define PAIR_OTHER	"0000:0c:00.0"
#define PAIR_HOST	"0000:0d:00.0"	/* e1000e */
/* ... and behind the other root ports there is none. */
#define DIRECT		"0000:0e:00.0"
#define RID_DIRECT	0x0e00u
#define NIC		"0000:0f:00.0"	/* the importer's; sends 16-bit tags */
#define RID_NIC		0x0f00u

/* QEMU's switch ports have their PCI Express capability at 0x90, its root ports at 0x54. */
#define SWITCH_EXPRESS	0x90
#define ROOT_EXPRESS	0x54
#define DEVCAP2		0x24
#define  DEVCAP2_PREFIX	0x00200000u
#define DEVCTL2		0x28
#define  DEVCTL2_BLOCK	0x8000u

#define IV_16		(TPH_CTRL_IV | TPH_CTRL_16)
#define IV_8		(TPH_CTRL_IV | TPH_CTRL_8)
#define DS_16		(TPH_CTRL_DS | TPH_CTRL_16)
#define DS_8		(TPH_CTRL_DS | TPH_CTRL_8)

#define MEMORY_BAR	2
#define MEMORY_SIZE	0x10000u
#define MEMORY_REGION	((uint64_t)VFIO_PCI_BAR2_REGION_INDEX << 40)
#define WINDOW_IOVA	0x800000u

static void assert_port(const char *bdf, uint32_t prefixes)
{
	assert_int_equal(raw_config(bdf, SWITCH_EXPRESS + DEVCAP2, 4) & DEVCAP2_PREFIX, prefixes);
	assert_int_equal(raw_config(bdf, SWITCH_EXPRESS + DEVCTL2, 2) & DEVCTL2_BLOCK, 0);
}

static void block_prefixes(const char *bdf, unsigned int express, bool block)
{
	uint32_t value = raw_config(bdf, express + DEVCTL2, 2) & ~DEVCTL2_BLOCK;

	value |= block ? DEVCTL2_BLOCK : 0;
	raw_config_write(bdf, express + DEVCTL2, 2, value);
	assert_int_equal(raw_config(bdf, express + DEVCTL2, 2), value);
}

static void the_machine_is_as_named(void **state)
{
	(void)state;
	assert_port(FORWARDING_UP, DEVCAP2_PREFIX);
	assert_port(FORWARDING_DOWN, DEVCAP2_PREFIX);
	assert_port(IGNORANT_UP, 0);
	assert_port(IGNORANT_DOWN, 0);
}

/* ---- which width there is to be had ---- */

/* No 16-bit tag by any way, 8-bit ones by each; and the hardware has not even seen the other. */
static void assert_narrow(const char *bdf)
{
	struct guest *g = guest_open(bdf);
	uint32_t clear = VFIO_TPH_CPU_NONE;
	struct tph_state state;

	assert_true(guest_raw(g, g->cap + TPH_CAP, 4) & TPH_CAP_EXTENDED);
	assert_false(guest_config(g, g->cap + TPH_CAP, 4) & TPH_CAP_EXTENDED);
	assert_int_equal(st_set_one(g, 0, 1), 0);

	assert_int_equal(tph_enable(g->tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_16), -EOPNOTSUPP);
	assert_int_equal(control_read(g), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
	assert_plain(g, 0);

	control(g, IV_16);
	assert_int_equal(control_read(g), IV_8);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IV_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	control(g, 0);

	assert_int_equal(tph_enable(g->tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST), 0);
	assert_int_equal(tph_read_state(g->tph, &state), 0);
	assert_int_equal(state.width_max, TPH_WIDTH_8);
	assert_int_equal(state.width, TPH_WIDTH_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);

	/* a device that may choose its tags has no more than 8 bits for them */
	control(g, DS_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), DS_8);
	assert_int_equal(guest_dma(g, EP_DMA_WRITE, hint_tag(0xbeef, 1)).th, 0);
	assert_int_equal(guest_dma(g, EP_DMA_WRITE, hint_tag(0x5a, 1)).width, 8);

	/* nor does a reset bring it back */
	control(g, IV_16);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IV_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
	assert_int_equal(st_set(g, 0, 0, 1, &clear), 0);
	guest_close(g);
}

static void assert_wide(const char *bdf)
{
	struct guest *g = guest_open(bdf);

	assert_true(guest_config(g, g->cap + TPH_CAP, 4) & TPH_CAP_EXTENDED);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_int_equal(tph_enable(g->tph, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_16), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), IV_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

static void no_extended_tag_over_a_switch_that_does_not_know_prefixes(void **state)
{
	(void)state;
	assert_narrow(NARROWED);
}

static void extended_tags_over_a_switch_that_forwards_prefixes(void **state)
{
	(void)state;
	assert_wide(FORWARDED);
	assert_wide(PAIR_OTHER);
	assert_wide(DIRECT);
}

/* Blocking is for what leaves the switch by a port: upwards by the upstream port alone. */
static void no_extended_tag_over_a_switch_that_blocks_prefixes(void **state)
{
	(void)state;
	block_prefixes(FORWARDING_UP, SWITCH_EXPRESS, true);
	assert_narrow(FORWARDED);
	block_prefixes(FORWARDING_UP, SWITCH_EXPRESS, false);
	assert_wide(FORWARDED);
}

static void blocking_downwards_is_no_concern_of_what_goes_up(void **state)
{
	(void)state;
	block_prefixes(FORWARDING_DOWN, SWITCH_EXPRESS, true);
	block_prefixes(FORWARDING_ROOT, ROOT_EXPRESS, true);
	assert_wide(FORWARDED);
}

/* A test that failed must not leave it so to the next. */
static int forward_again(void **state)
{
	(void)state;
	block_prefixes(FORWARDING_UP, SWITCH_EXPRESS, false);
	block_prefixes(FORWARDING_DOWN, SWITCH_EXPRESS, false);
	block_prefixes(FORWARDING_ROOT, ROOT_EXPRESS, false);
	return 0;
}

static void tphctl_names_the_port_that_is_in_the_way(void **state)
{
	(void)state;
	guest_command("tphctl why " NARROWED " | grep 'completer ' >/tmp/why");
	guest_command("grep -q '16-bit tags, but no 16-bit ones get there: " IGNORANT_DOWN
		      " does not know' /tmp/why");
	guest_command("tphctl show " NARROWED " >/tmp/show");
	guest_command("grep -q 'way up  *no 16-bit tags: " IGNORANT_DOWN "' /tmp/show");
	guest_command("grep -A 3 'on offer' /tmp/show | grep -q 'tag width  *8$'");
	assert_int_equal(guest_try("tphctl enable " NARROWED " iv 16 2>/tmp/enable"), 3 << 8);
	guest_command("grep -q 'the way to the CPUs, has no such tags' /tmp/enable");
	guest_command("tphctl report " NARROWED " /tmp/report.tar >/dev/null");
	guest_command("tar -C /tmp -xf /tmp/report.tar");
	guest_command("tphctl why --sysfs /tmp/tphctl-report " NARROWED " | grep 'completer ' |"
		      " cmp - /tmp/why");

	guest_command("tphctl why " FORWARDED " | grep 'completer ' | grep -q '16-bit tags$'");
	guest_command("tphctl show " FORWARDED " | grep -A 3 'on offer' | grep -q 'width  *16$'");
	block_prefixes(FORWARDING_UP, SWITCH_EXPRESS, true);
	guest_command("tphctl why " FORWARDED " | grep -q ': " FORWARDING_UP " is told to block'");
	guest_command("tphctl show " FORWARDED " | grep -A 3 'on offer' | grep -q 'width  *8$'");
}

/* ---- from endpoint to endpoint, by iommufd ---- */

static uint32_t dword_of(struct guest *g, uint64_t at)
{
	uint32_t value;

	if (pread(g->fd, &value, sizeof(value), (off_t)(MEMORY_REGION + at)) != sizeof(value))
		fail_msg("%s: memory at 0x%lx: %s", g->bdf, (unsigned long)at, strerror(errno));
	return value;
}

/* One write of 64 bytes to the peer's memory; how it arrived. */
static struct arrival write_to(struct guest *from, struct guest *to, uint32_t hint)
{
	static uint32_t at, pattern = 0x51170000;
	uint32_t before = guest_register(to, EP_RECEIVED_HEAD), status;
	struct arrival arrival;

	at = (at + 0x1040) % MEMORY_SIZE;
	pattern++;
	guest_register_write(from, EP_DMA_DST_LO, WINDOW_IOVA + at);
	guest_register_write(from, EP_DMA_DST_HI, 0);
	guest_register_write(from, EP_DMA_LENGTH, 64);
	guest_register_write(from, EP_DMA_PATTERN, pattern);
	guest_register_write(from, EP_DMA_HINT, hint);
	guest_register_write(from, EP_DMA_DOORBELL, EP_DMA_WRITE);
	do
		status = guest_register(from, EP_DMA_STATUS);
	while (status == EP_DMA_BUSY);
	assert_int_equal(status, EP_DMA_DONE);
	assert_int_equal(guest_register(to, EP_RECEIVED_HEAD), before + 1);
	arrival = guest_last_arrival(to);
	assert_int_equal(arrival.tlp.address, at);
	assert_int_equal(arrival.tlp.length, 64);
	assert_int_equal(arrival.bar, MEMORY_BAR);
	assert_int_equal(arrival.verdict, EP_TLP_ACCEPTED);
	assert_int_equal(dword_of(to, at), pattern);
	assert_int_equal(dword_of(to, at + 60), pattern);
	return arrival;
}

/* @width: of the tags that @from can send, whatever it asks for */
static void check_pair(const char *from_bdf, unsigned int requester, const char *to_bdf,
		       unsigned int width)
{
	struct guest *from = guest_open(from_bdf), *to = guest_open(to_bdf);
	struct arrival arrival;
	int fd;

	assert_int_equal(tph_dmabuf_export(to->tph, MEMORY_BAR, 0, MEMORY_SIZE, &fd), 0);
	assert_int_equal(guest_map_dmabuf(from, fd, WINDOW_IOVA, MEMORY_SIZE), 0);
	control(from, DS_16);
	arrival = write_to(from, to, 0);
	assert_int_equal(arrival.tlp.requester, requester);
	assert_int_equal(arrival.use, EP_TLP_HINT_NONE);
	arrival = write_to(from, to, hint_tag(0xbeef, 2));
	if (width == 16) {
		assert_int_equal(arrival.use, EP_TLP_HINT_TAKEN);
		assert_int_equal(arrival.tlp.width, 16);
		assert_int_equal(arrival.tlp.st, 0xbeef);
	} else {
		assert_int_equal(arrival.use, EP_TLP_HINT_NONE);
	}
	arrival = write_to(from, to, hint_tag(0x5a, 3));
	assert_int_equal(arrival.use, EP_TLP_HINT_TAKEN);
	assert_int_equal(arrival.tlp.width, width);
	assert_int_equal(arrival.tlp.st, 0x5a);
	assert_int_equal(arrival.tlp.ph, 3);
	close(fd);
	guest_close(to);
	guest_close(from);
}

static void peers_below_one_switch(void **state)
{
	(void)state;
	check_pair(FORWARDED, RID_FORWARDED, FORWARDED_MEMORY, 16);
	check_pair(NARROWED, RID_NARROWED, NARROWED_MEMORY, 8);
}

static void peers_below_different_root_ports(void **state)
{
	(void)state;
	check_pair(DIRECT, RID_DIRECT, FORWARDED_MEMORY, 16);
	check_pair(NARROWED, RID_NARROWED, FORWARDED_MEMORY, 8);
}

/* ---- a kernel driver that imports ---- */

static int nic_attach(const char *bdf, int fd)
{
	char path[64];
	int nic;

	snprintf(path, sizeof(path), "/dev/tph-importer-%s", bdf);
	nic = open(path, O_RDWR | O_CLOEXEC);
	if (nic < 0 || ioctl(nic, IMPORTER_ATTACH, &fd))
		fail_msg("%s: %s", path, strerror(errno));
	return nic;
}

static int nic_write(int nic)
{
	const struct importer_write write = { 128, 64, 0x1234abcd };

	return ioctl(nic, IMPORTER_WRITE, &write) ? -errno : 0;
}

static void an_importer_elsewhere_is_routed_by_the_root_complex(void **state)
{
	struct guest *to = guest_open(FORWARDED_MEMORY);
	const struct tph_dmabuf_tags tags = {
		.tag_8_valid = true, .tag_8 = 0x5a, .tag_16_valid = true, .tag_16 = 0xbeef,
	};
	struct arrival arrival;
	int fd, nic;

	(void)state;
	assert_int_equal(tph_dmabuf_export(to->tph, MEMORY_BAR, 0, MEMORY_SIZE, &fd), 0);
	assert_int_equal(tph_dmabuf_publish(to->tph, fd, &tags), 0);
	nic = nic_attach(NIC, fd);
	assert_int_equal(nic_write(nic), 0);
	arrival = guest_last_arrival(to);
	assert_int_equal(arrival.tlp.requester, RID_NIC);
	assert_int_equal(arrival.verdict, EP_TLP_ACCEPTED);
	assert_int_equal(arrival.use, EP_TLP_HINT_TAKEN);
	assert_int_equal(arrival.tlp.width, 16);
	assert_int_equal(arrival.tlp.st, 0xbeef);
	assert_int_equal(dword_of(to, 128), 0x1234abcd);
	close(nic);
	close(fd);
	guest_close(to);
}

/*
 * Below one switch nothing redirects requests to the root complex, as far as Linux can see, so it
 * gives the importer bus addresses. The lab's switch routes nothing; the IOMMU refuses them.
 */
static void an_importer_below_the_switch_is_given_bus_addresses(void **state)
{
	struct guest *near = guest_open(FORWARDED_MEMORY), *far = guest_open(NARROWED_MEMORY);
	uint32_t before = guest_register(near, EP_RECEIVED_HEAD);
	int fds[2], nic;

	(void)state;
	/* where a failed test left it open, unbind would wait for ever */
	guest_close(guest_open(FORWARDED));
	guest_bind(FORWARDED, "tph-importer");
	assert_int_equal(tph_dmabuf_export(near->tph, MEMORY_BAR, 0, MEMORY_SIZE, &fds[0]), 0);
	assert_int_equal(tph_dmabuf_export(far->tph, MEMORY_BAR, 0, MEMORY_SIZE, &fds[1]), 0);
	nic = nic_attach(FORWARDED, fds[0]);
	assert_int_equal(nic_write(nic), -EIO);
	assert_int_equal(guest_register(near, EP_RECEIVED_HEAD), before);
	assert_int_equal(dword_of(near, 128), 0);
	close(nic);
	nic = nic_attach(FORWARDED, fds[1]);
	assert_int_equal(nic_write(nic), 0);
	assert_int_equal(guest_last_arrival(far).tlp.requester, RID_FORWARDED);
	assert_int_equal(dword_of(far, 128), 0x1234abcd);
	close(nic);
	close(fds[0]);
	close(fds[1]);
	guest_close(near);
	guest_close(far);
	guest_bind(FORWARDED, "tph-vfio-pci");
}

/* ---- groups: what is foreseen, and what the kernel does ---- */

static struct tph_group *read_group(const char *bdf, const char *const *members,
				    enum tph_cause_kind kind, const char *cause)
{
	struct tph_group_facts facts;
	struct tph_group_cause found;
	struct tph_group *group;
	bool told = false;
	size_t i;

	assert_int_equal(tph_group_read("/sys", bdf, &group), 0);
	tph_group_describe(group, &facts);
	for (i = 0; i < facts.members; i++) {
		struct tph_group_member member;

		assert_int_equal(tph_group_member(group, i, &member), 0);
		assert_non_null(members[i]);
		assert_string_equal(member.address, members[i]);
	}
	assert_null(members[i]);
	for (i = 0; i < facts.causes; i++) {
		assert_int_equal(tph_group_cause(group, i, &found), 0);
		assert_int_not_equal(found.kind, TPH_CAUSE_QUIRK);
		told = told || (found.kind == kind && !strcmp(found.device, cause));
	}
	assert_true(told);
	return group;
}

/* What is foreseen for a user of his own, @context; and the group is then as after it. */
static int foresee(struct tph_group *group, const char *bdf, uint32_t context)
{
	struct tph_group_step step = { .kind = TPH_STEP_BIND, .context = context };
	struct tph_group_answer answer;

	assert_int_equal(tph_group_find(group, bdf, &step.member), 0);
	assert_int_equal(tph_group_step(group, &step, &answer), 0);
	assert_true(answer.certain);
	return answer.error;
}

static void an_endpoint_is_in_one_group_with_its_downstream_port(void **state)
{
	static const char *const first[] = { "0000:02:01.0", FORWARDED_MEMORY, NULL };
	static const char *const second[] = { FORWARDING_DOWN, FORWARDED, NULL };
	struct tph_group *one, *other;
	struct guest *g;

	(void)state;
	one = read_group(FORWARDED_MEMORY, first, TPH_CAUSE_PORT, first[0]);
	other = read_group(FORWARDED, second, TPH_CAUSE_PORT, second[0]);
	/* so each may have a user of its own */
	assert_int_equal(foresee(one, FORWARDED_MEMORY, 1), 0);
	assert_int_equal(foresee(other, FORWARDED, 2), 0);
	g = guest_open(FORWARDED_MEMORY);
	assert_int_equal(guest_try_open(FORWARDED), 0);
	guest_close(g);
	tph_group_free(one);
	tph_group_free(other);
}

static void below_a_root_port_with_acs_it_is_alone(void **state)
{
	static const char *const members[] = { DIRECT, NULL };

	(void)state;
	tph_group_free(read_group(DIRECT, members, TPH_CAUSE_ALONE, DIRECT));
}

static const char *const pair_members[] = {
	PAIR_PORTS ".0", PAIR_PORTS ".1", PAIR_PORTS ".2", PAIR_ONE, PAIR_OTHER, PAIR_HOST, NULL,
};

static void downstream_ports_of_one_device_bring_all_into_one_group(void **state)
{
	struct tph_group *group = read_group(PAIR_ONE, pair_members, TPH_CAUSE_FUNCTIONS, PAIR_PORTS);
	struct guest *g;

	(void)state;
	assert_int_equal(foresee(group, PAIR_ONE, 1), 0);
	assert_int_equal(foresee(group, PAIR_OTHER, 2), -EPERM);
	g = guest_open(PAIR_ONE);
	assert_int_equal(guest_try_open(PAIR_OTHER), -EPERM);
	guest_close(g);
	assert_int_equal(guest_try_open(PAIR_OTHER), 0);
	tph_group_free(group);
}

static void a_driver_of_the_host_below_the_same_switch(void **state)
{
	struct tph_group *group;

	(void)state;
	guest_command("modprobe e1000e");
	group = read_group(PAIR_ONE, pair_members, TPH_CAUSE_PORT, PAIR_PORTS ".2");
	assert_int_equal(foresee(group, PAIR_ONE, 1), -EPERM);
	tph_group_free(group);
	assert_int_equal(guest_try_open(PAIR_ONE), -EPERM);
	guest_command("! tphctl why " PAIR_ONE " >/tmp/why");
	guest_command("grep -A 1 '=> broken   group' /tmp/why | grep -q " PAIR_HOST);
	guest_command("rmmod e1000e");
	assert_int_equal(guest_try_open(PAIR_ONE), 0);
	guest_command("tphctl why " PAIR_ONE " >/tmp/why");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine_is_as_named),
		cmocka_unit_test(no_extended_tag_over_a_switch_that_does_not_know_prefixes),
		cmocka_unit_test(extended_tags_over_a_switch_that_forwards_prefixes),
		cmocka_unit_test_teardown(no_extended_tag_over_a_switch_that_blocks_prefixes,
					  forward_again),
		cmocka_unit_test_teardown(blocking_downwards_is_no_concern_of_what_goes_up,
					  forward_again),
		cmocka_unit_test_teardown(tphctl_names_the_port_that_is_in_the_way, forward_again),
		cmocka_unit_test(peers_below_one_switch),
		cmocka_unit_test(peers_below_different_root_ports),
		cmocka_unit_test(an_importer_elsewhere_is_routed_by_the_root_complex),
		cmocka_unit_test(an_importer_below_the_switch_is_given_bus_addresses),
		cmocka_unit_test(an_endpoint_is_in_one_group_with_its_downstream_port),
		cmocka_unit_test(below_a_root_port_with_acs_it_is_alone),
		cmocka_unit_test(downstream_ports_of_one_device_bring_all_into_one_group),
		cmocka_unit_test(a_driver_of_the_host_below_the_same_switch),
	};

	guest_driver("policy=ds-st");
	guest_command("modprobe tph_lab_importer");
	guest_bind(NIC, "tph-importer");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
