// SPDX-License-Identifier: MIT
/*
 * Each call with its first, second, ... allocation failing, until none is left to fail: an error is
 * -ENOMEM, and after it everything is as before. Only allocations that the driver makes, or that are
 * not far below it, fail: all those of an open are hundreds. Needs a kernel with fault injection
 * (sanitize).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio_tph_legacy.h>

#include "guest.h"
#include "tph.h"

#define COUNT		16u
#define NTH_MAX		100
#define DEPTH		"7"	/* calls from the driver to the allocator's check */

static int fail_nth;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail_msg("%s < %s: %s", path, text, strerror(errno));
	close(fd);
}

static void arm(int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", nth);

	assert_int_equal(pwrite(fail_nth, text, (size_t)n, 0), n);
}

/* Return: whether an allocation has failed since arm(). */
static bool disarm(void)
{
	char text[16] = "";

	assert_true(pread(fail_nth, text, sizeof(text) - 1, 0) > 0);
	arm(0);
	return !atoi(text);
}

/*
 * Runs @call, each time after @before, until nothing in it fails any more. Where much of it is not
 * this driver's work, as in an open, an error can be any.
 */
#define EACH(before, call, any, after_error) do {				\
		unsigned int errors_ = 0;					\
		bool failed_ = true;						\
		int nth_, ret_;							\
		for (nth_ = 1; failed_; nth_++) {				\
			assert_true(nth_ < NTH_MAX);				\
			before;							\
			arm(nth_);						\
			ret_ = (call);						\
			failed_ = disarm();					\
			if (!ret_)						\
				continue;					\
			assert_true(failed_);					\
			assert_true(ret_ == -ENOMEM || any);			\
			errors_++;						\
			after_error;						\
		}								\
		print_message("# %d allocations, %u errors\n", nth_ - 2, errors_); \
		assert_true(errors_ > 0);					\
	} while (0)

static void set_and_get(void **state)
{
	static const char *const bdfs[] = { EP_CAPABILITY, EP_MSIX };
	uint32_t wanted[COUNT], before[COUNT], values[COUNT];
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct guest *g = guest_open(bdfs[i]);

		for (j = 0; j < COUNT; j++) {
			before[j] = j % 2;
			wanted[j] = 2;
		}
		/* before each: the allocator's own may fail (sheaves), and the call succeeds then */
		EACH(assert_int_equal(st_set(g, 0, 0, COUNT, before), 0),
		     st_set(g, 0, 0, COUNT, wanted), false, {
			assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, COUNT, values), 0);
			assert_memory_equal(values, before, sizeof(before));
		});
		EACH(, st_get(g, VFIO_TPH_ST_CPU, 0, COUNT, values), false, );
		assert_memory_equal(values, wanted, sizeof(wanted));
		guest_close(g);
	}
}

static int publish(struct guest *g, int fd, uint32_t flags)
{
	const struct vfio_device_feature_dma_buf_tph tags = { .dmabuf_fd = fd, .flags = flags };

	return feature(g->fd, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_TPH, &tags,
		       sizeof(tags));
}

static void publish_tags(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	int fd;

	(void)state;
	assert_int_equal(tph_dmabuf_export(g->tph, 2, 0, 4096, &fd), 0);
	EACH(assert_int_equal(publish(g, fd, 0), 0), publish(g, fd, VFIO_DMA_BUF_TPH_ST), false,
	     guest_command("[ -z \"$(cat /sys/kernel/debug/tph-vfio-pci/%s)\" ]", EP_CAPABILITY));
	guest_command("[ $(wc -l </sys/kernel/debug/tph-vfio-pci/%s) = 1 ]", EP_CAPABILITY);
	close(fd);
	guest_close(g);
}

/* The ioctl of the posted patches; entry 5 was CPU 0's. */
static int posted(struct guest *g, uint32_t op)
{
	struct {
		struct vfio_device_pci_tph_op op;
		struct vfio_pci_tph_entry entry;
	} request = {
		.op.argsz = sizeof(request.op) + sizeof(request.entry),
		.op.op = op,
		.op.st.count = 1,
		.entry = { .cpu = 1, .index = 5 },
	};

	return ioctl(g->fd, VFIO_DEVICE_PCI_TPH, &request) ? -errno : 0;
}

static void posted_ioctl(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t cpu;

	(void)state;
	EACH(assert_int_equal(st_set_one(g, 5, 0), 0), posted(g, VFIO_PCI_TPH_SET_ST), false, {
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 5, 1, &cpu), 0);
		assert_int_equal(cpu, 0);
	});
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 5, 1, &cpu), 0);
	assert_int_equal(cpu, 1);
	guest_close(g);

	guest_command("echo ds-st >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/policy");
	g = guest_open(EP_CAPABILITY);
	EACH(, posted(g, VFIO_PCI_TPH_GET_ST), false, );
	guest_close(g);
	guest_command("echo iv-st >/sys/bus/pci/devices/" EP_CAPABILITY "/tph/policy");
}

static int region_info(struct guest *g)
{
	struct vfio_region_info info = { .argsz = sizeof(info),
					 .index = VFIO_PCI_BAR4_REGION_INDEX };

	return ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &info) ? -errno : 0;
}

static void what_can_be_mapped(void **state)
{
	struct guest *g = guest_open(EP_MSIX);

	(void)state;
	EACH(, region_info(g), false, );
	guest_close(g);
}

/* The policy of one that is busy cannot be set: an open that failed has to leave it free. */
static void open_device(void **state)
{
	static const char *const bdfs[] = { EP_CAPABILITY, EP_MSIX };
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++)
		EACH(, guest_try_open(bdfs[i]), true,
		     guest_command("cd /sys/bus/pci/devices/%s/tph &&"
				   " echo no-st >policy && echo iv-st >policy", bdfs[i]));
}

static int bind(const char *text)
{
	int fd = open("/sys/bus/pci/drivers/tph-vfio-pci/bind", O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static void bind_device(void **state)
{
	(void)state;
	/* it is bound before the first, and after one whose failure does not matter */
	EACH(guest_try("cd /sys/bus/pci/drivers/tph-vfio-pci && [ ! -e %s ] || echo %s >unbind",
		       EP_CAPABILITY, EP_CAPABILITY),
	     bind(EP_CAPABILITY), true, );
	assert_int_equal(guest_try_open(EP_CAPABILITY), 0);
}

static void put_in(const char *fault, const char *name, const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", fault, name);
	put(path, text);
}

static void only_in_the_driver(void)
{
	static const char *const faults[] = { "failslab", "fail_page_alloc" };
	unsigned long long start = 0, size = 0;
	char line[256], text[32];
	FILE *modules = fopen("/proc/modules", "r");
	unsigned int i;

	assert_non_null(modules);
	while (!start && fgets(line, sizeof(line), modules))
		if (sscanf(line, "tph_vfio_pci %llu %*s %*s Live %llx", &size, &start) != 2)
			start = 0;
	fclose(modules);
	assert_int_not_equal(start, 0);
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "%#llx", start);
		put_in(faults[i], "require-start", text);
		snprintf(text, sizeof(text), "%#llx", start + size);
		put_in(faults[i], "require-end", text);
		put_in(faults[i], "stacktrace-depth", DEPTH);
		put_in(faults[i], "verbose", "0");
	}
	put_in(faults[0], "ignore-gfp-wait", "N");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_and_get),
		cmocka_unit_test(publish_tags),
		cmocka_unit_test(posted_ioctl),
		cmocka_unit_test(what_can_be_mapped),
		cmocka_unit_test(open_device),
		cmocka_unit_test(bind_device),
	};

	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0) {
		printf("not ok - the kernel can fail allocations: %s\n", strerror(errno));
		return 1;
	}
	guest_driver("policy=iv-st");
	only_in_the_driver();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
