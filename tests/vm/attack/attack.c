// SPDX-License-Identifier: MIT
/*
 * Runs every attack on stock vfio-pci and on tph-vfio-pci, each in a process of its own, and prints
 * both results side by side. An attack that stock vfio-pci is known to be open to has to succeed
 * there: else it would prove nothing that it fails on ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"
#include "tph.h"

#define NOBODY		65534
#define PAGE_SIZE	0x1000u
#define ATTACKS_MAX	128
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

/* not in the headers of older distributions */
#define DEVICE_BIND	_IO(VFIO_TYPE, VFIO_BASE + 18)
#define DEVICE_ATTACH	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define DEVICE_DETACH	_IO(VFIO_TYPE, VFIO_BASE + 20)

enum result {
	FAILED,
	SUCCEEDED,
	BROKEN,		/* an assertion on the way: nothing is known */
	NOT_RUN,
};

/* What the attacks of a file are about, and not every kernel has. */
enum wants {
	WANTS_NOTHING,
	WANTS_IOMMUFD,
	WANTS_DMABUFS,
	WANTS_VHOST_THREADS,
	WANTS_COUNT,
};

static const char *const wanted_names[] = {
	[WANTS_IOMMUFD] = "iommufd",
	[WANTS_DMABUFS] = "dma-bufs",
	[WANTS_VHOST_THREADS] = "vhost threads",
};

static const struct {
	const struct attack *attacks;
	enum wants wants;
} suites[] = {
	{ mapping_attacks, WANTS_NOTHING }, { region_attacks, WANTS_NOTHING },
	{ dmabuf_attacks, WANTS_DMABUFS }, { vector_attacks, WANTS_NOTHING },
	{ leftover_attacks, WANTS_NOTHING }, { config_attacks, WANTS_NOTHING },
	{ request_attacks, WANTS_NOTHING }, { lease_attacks, WANTS_NOTHING },
	{ worker_attacks, WANTS_NOTHING }, { vhost_attacks, WANTS_VHOST_THREADS },
	{ attach_attacks, WANTS_IOMMUFD }, { reset_attacks, WANTS_NOTHING },
	{ legacy_attacks, WANTS_NOTHING }, { neighbour_attacks, WANTS_NOTHING },
};

void act_as_root(void)
{
	assert_int_equal(seteuid(0), 0);
}

void act_as_user(void)
{
	assert_int_equal(seteuid(NOBODY), 0);
}

static uint8_t capability(struct guest *g, uint8_t id)
{
	uint8_t at;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == id)
			return at;
	fail_msg("no capability %#x", id);
	return 0;
}

/* Offset of the MSI-X table in its BAR. */
uint32_t table_at(struct guest *g)
{
	return guest_config(g, capability(g, PCI_CAP_ID_MSIX) + PCI_MSIX_TABLE, 4) &
	       PCI_MSIX_TABLE_OFFSET;
}

static int set_irqs(struct guest *g, uint32_t data, uint32_t count, const int *fds)
{
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + count * sizeof(int));
	int ret;

	assert_non_null(set);
	set->argsz = sizeof(*set) + count * sizeof(int);
	set->flags = data | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSIX_IRQ_INDEX;
	set->count = count;
	if (count)
		memcpy(set->data, fds, count * sizeof(int));
	ret = ioctl(g->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return ret;
}

void vectors_on(struct guest *g)
{
	int fds[TABLE_VECTORS], i;

	for (i = 0; i < TABLE_VECTORS; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(set_irqs(g, VFIO_IRQ_SET_DATA_EVENTFD, TABLE_VECTORS, fds), 0);
	for (i = 0; i < TABLE_VECTORS; i++)
		close(fds[i]);
}

void vectors_off(struct guest *g)
{
	assert_int_equal(set_irqs(g, VFIO_IRQ_SET_DATA_NONE, 0, NULL), 0);
}

/* QEMU keeps an MSI-X table through resets: on stock an attack would find a former one's tags. */
static void clean_table(struct guest *g)
{
	void *map = map_bar0(g, TABLE_PAGE, 2 * PAGE_SIZE);
	unsigned int i;

	if (map == MAP_FAILED)
		return;
	for (i = 0; i < TABLE_VECTORS; i++)
		put_tag(g, map, TABLE_PAGE, i, 0);
	munmap(map, 2 * PAGE_SIZE);
}

struct guest *attack_open_disabled(const char *bdf)
{
	struct guest *g;

	act_as_root();
	g = guest_open(bdf);
	act_as_user();
	if (table_at(g) == TABLE_AT)
		clean_table(g);
	vectors_on(g);
	return g;
}

void attack_enable(struct guest *g, bool ours)
{
	if (ours) {
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
		return;
	}
	act_as_root();
	raw_config_write(g->bdf, g->cap + TPH_CTRL, 4, TPH_CTRL_IV | TPH_CTRL_16);
	act_as_user();
}

struct guest *attack_open(const char *bdf, bool ours)
{
	struct guest *g = attack_open_disabled(bdf);

	attack_enable(g, ours);
	assert_int_not_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_false(sends_any_tag(g, 0));
	return g;
}

int attach(int device, uint32_t ioas)
{
	uint32_t attach[3] = { sizeof(attach), 0, ioas };

	return ioctl(device, DEVICE_ATTACH, attach) ? -errno : 0;
}

int detach(int device)
{
	uint32_t detach[2] = { sizeof(detach), 0 };

	return ioctl(device, DEVICE_DETACH, detach) ? -errno : 0;
}

/* Another device of the same user, in the I/O address space of the first. */
int companion_open(struct guest *g, const char *bdf)
{
	uint32_t bind[4] = { sizeof(bind), 0, tph_iommu_fd(g->tph), 0 };
	char command[160], path[64] = "";
	FILE *name;
	int fd;

	act_as_root();
	snprintf(command, sizeof(command), "ls -d /sys/bus/pci/devices/%s/vfio-dev/vfio*", bdf);
	name = popen(command, "r");
	assert_non_null(name);
	assert_non_null(fgets(command, sizeof(command), name));
	pclose(name);
	command[strcspn(command, "\n")] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/devices%s", strrchr(command, '/'));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	act_as_user();
	assert_int_equal(ioctl(fd, DEVICE_BIND, bind), 0);
	assert_int_equal(attach(fd, tph_ioas(g->tph)), 0);
	return fd;
}

bool sends_tag(struct guest *g, unsigned int entry, unsigned int tag)
{
	struct tlp tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(entry, 2));

	return tlp.th && tlp.st == tag;
}

bool sends_any_tag(struct guest *g, unsigned int entry)
{
	struct tlp tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(entry, 2));

	return tlp.th && tlp.st;
}

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* What nobody tells the kernel has to be found out within a second; done as soon as it is. */
bool still_sends_tag_after_a_second(struct guest *g, unsigned int entry, unsigned int tag)
{
	uint64_t end = milliseconds() + 1000;
	bool late;

	do {
		late = milliseconds() >= end;
		if (!sends_tag(g, entry, tag))
			return false;
	} while (!late);
	return true;
}

void *map_bar0(struct guest *g, uint64_t at, size_t length)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, at);
}

/* Into the MSI-X table through a mapping of BAR 0 from @map_at on. */
void put_tag(struct guest *g, void *map, uint64_t map_at, unsigned int entry, unsigned int tag)
{
	uint64_t control = table_at(g) + entry * 16ull + 12;

	*(volatile uint32_t *)((uint8_t *)map + (control - map_at)) = tag << 16;
}

/*
 * Entry 0 steers to a CPU of the attacker's: by a grant on ours, on stock by his own hand. It is
 * seen on a TLP, so that an attack which tries to keep it can succeed.
 */
void get_his_tag(struct guest *g, bool ours)
{
	void *map;

	if (ours) {
		assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
	} else {
		/* Linux takes over the tag that it finds, and keeps it through masking */
		vectors_off(g);
		map = map_bar0(g, TABLE_PAGE, PAGE_SIZE);
		assert_ptr_not_equal(map, MAP_FAILED);
		put_tag(g, map, TABLE_PAGE, 0, HIS_TAG);
		munmap(map, PAGE_SIZE);
		vectors_on(g);
	}
	assert_true(sends_tag(g, 0, HIS_TAG));
}

void operator_cpus(const char *bdf, const char *list)
{
	act_as_root();
	guest_command("echo %s >/sys/bus/pci/devices/%s/tph/cpus", list, bdf);
	act_as_user();
}

void operator_cpuset(pid_t pid, const char *list)
{
	act_as_root();
	guest_command("cd /sys/fs/cgroup && echo +cpuset >cgroup.subtree_control &&"
		      " mkdir -p attacker && echo %s >attacker/cpuset.cpus &&"
		      " echo %d >attacker/cgroup.procs", list, (int)pid);
	act_as_user();
}

/* What an attack may have had changed is put back: CPUs online, every CPU in every list. */
static void write_all(const char *pattern, const char *text)
{
	glob_t files = { 0 };
	size_t i;

	glob(pattern, 0, NULL, &files);
	for (i = 0; i < files.gl_pathc; i++) {
		int fd = open(files.gl_pathv[i], O_WRONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
		close(fd);
	}
	globfree(&files);
}

/* What the process of an attack tells. */
struct trial {
	const struct attack *attack;
	bool ours;
	int fd;
};

static void try(void **state)
{
	const struct trial *trial = *state;
	char answer;

	guest_run_on(1u << 0 | 1u << HIS_CPU);
	act_as_user();
	answer = trial->attack->run(trial->attack, trial->ours) ? SUCCEEDED : FAILED;
	assert_int_equal(write(trial->fd, &answer, 1), 1);
}

/* What it printed, if something went wrong on the way. */
static void print_comment(FILE *output)
{
	char line[512];

	rewind(output);
	while (fgets(line, sizeof(line), output))
		printf("#   %s", line);
}

static enum result run(const struct attack *attack, bool ours)
{
	struct trial trial = { attack, ours, -1 };
	const struct CMUnitTest test[] = { { attack->name, try, NULL, NULL, &trial } };
	FILE *output = tmpfile();
	char answer = BROKEN;
	int pipes[2], status;
	pid_t pid;

	assert_non_null(output);
	assert_int_equal(pipe(pipes), 0);
	trial.fd = pipes[1];
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fileno(output), STDOUT_FILENO);
		dup2(fileno(output), STDERR_FILENO);
		status = cmocka_run_group_tests(test, NULL, NULL);
		fflush(stdout);
		_exit(status);
	}
	close(pipes[1]);
	waitpid(pid, &status, 0);
	if (read(pipes[0], &answer, 1) != 1 || status) {
		answer = BROKEN;
		printf("# %s on %s is broken:\n", attack->name, ours ? "ours" : "stock vfio-pci");
		print_comment(output);
	}
	close(pipes[0]);
	fclose(output);
	write_all("/sys/devices/system/cpu/cpu[1-9]*/online", "1");
	write_all("/sys/bus/pci/devices/*/tph/cpus", "0-3");
	return answer;
}

static const char *in_words(const struct attack *attack, enum result result)
{
	static const char *const words[] = { "fails", "succeeds", "broken", "n/a" };

	return result == NOT_RUN && attack->why ? attack->why : words[result];
}

/* Before Linux 6.19 no kernel exports dma-bufs of VFIO devices. */
static bool exports_dmabufs(void)
{
	struct guest *g = guest_open(AT_CAPABILITY);
	int ret = feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
				 FEATURE_DMA_BUF, NULL, 0);

	guest_close(g);
	return ret != -ENOTTY;
}

/* All of them that this kernel can have, or those that are named. */
static unsigned int select_attacks(const struct attack **selected, int names, char **name)
{
	const bool has[WANTS_COUNT] = {
		[WANTS_NOTHING] = true,
		[WANTS_IOMMUFD] = guest_has_iommufd(),
		[WANTS_DMABUFS] = exports_dmabufs(),
		[WANTS_VHOST_THREADS] = vhost_makes_threads(),
	};
	const struct attack *attack;
	unsigned int i, n = 0;
	int j;

	for (i = 0; i < ARRAY_SIZE(suites); i++)
		for (attack = suites[i].attacks; attack->name; attack++) {
			for (j = 0; j < names && strcmp(name[j], attack->name); j++)
				;
			if (names && j == names)
				continue;
			if (!has[suites[i].wants]) {
				printf("# without %s not run: %s\n", wanted_names[suites[i].wants],
				       attack->name);
				continue;
			}
			assert_true(n < ATTACKS_MAX);
			selected[n++] = attack;
		}
	return n;
}

static void print_table(const struct attack **attacks, unsigned int n, const enum result *stock,
			const enum result *ours)
{
	unsigned int i;

	printf("# %-28s %-24s %-12s %s\n", "attack", "stock vfio-pci", "tph-vfio-pci",
	       "covered by");
	for (i = 0; i < n; i++)
		printf("# %-28s %-24s %-12s %s\n", attacks[i]->name,
		       in_words(attacks[i], stock[i]), in_words(attacks[i], ours[i]),
		       attacks[i]->where);
}

/* Return: whether the attack came out as it has to. */
static bool print_verdict(const struct attack *attack, unsigned int number, enum result stock,
			  enum result ours)
{
	static const enum result expected[] = {
		[STOCK_OPEN] = SUCCEEDED,
		[STOCK_CLOSED] = FAILED,
		[STOCK_WITHOUT] = NOT_RUN,
	};
	bool as_expected = stock == expected[attack->stock], good = ours == FAILED && as_expected;

	printf("%s %u - attack %s: %s on ours", good ? "ok" : "not ok", number, attack->name,
	       in_words(attack, ours));
	if (!as_expected)
		printf(", and %s on stock vfio-pci, against expectation", in_words(attack, stock));
	printf("\n");
	return good;
}

int main(int argc, char **argv)
{
	static const struct attack *attacks[ATTACKS_MAX];
	static enum result stock[ATTACKS_MAX], ours[ATTACKS_MAX];
	unsigned int i, n, good = 0, open = 0, won = 0;
	uint64_t start = milliseconds();

	setvbuf(stdout, NULL, _IOLBF, 0);
	guest_command("modprobe vfio-pci");
	guest_command("for d in /sys/bus/pci/devices/*; do"
		      " [ $(cat $d/vendor) = 0x1234 ] || continue;"
		      " echo vfio-pci >$d/driver_override;"
		      " echo ${d##*/} >/sys/bus/pci/drivers_probe; done");
	n = select_attacks(attacks, argc - 1, argv + 1);
	for (i = 0; i < n; i++)
		stock[i] = attacks[i]->stock == STOCK_WITHOUT ? NOT_RUN : run(attacks[i], false);

	guest_command("rmmod vfio_pci");
	guest_driver("policy=iv-st");
	guest_bind(AT_EDU, "tph-vfio-pci");
	for (i = 0; i < n; i++)
		ours[i] = run(attacks[i], true);

	print_table(attacks, n, stock, ours);
	printf("1..%u\n", n);
	for (i = 0; i < n; i++) {
		good += print_verdict(attacks[i], i + 1, stock[i], ours[i]);
		open += stock[i] == SUCCEEDED;
		won += ours[i] == SUCCEEDED;
	}
	printf("# %u attacks: %u succeeded on stock vfio-pci, %u on tph-vfio-pci; %u s\n", n, open,
	       won, (unsigned int)(milliseconds() - start) / 1000);
	return !n || good < n;
}
