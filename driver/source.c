// SPDX-License-Identifier: GPL-2.0-only
#include <linux/acpi.h>
#include <linux/jiffies.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "tph_vfio_pci.h"

/* PCI Firmware 3.3 ECN "Revised _DSM for Cache Locality TPH Features": revision 7, function 15. */
#define DSM_REVISION	7
#define DSM_FUNCTION	0xf
#define DSM_FEATURE_CACHE_LOCALITY	0

static const guid_t dsm_guid = GUID_INIT(0xe5c937d0, 0x3553, 0x4d7a, 0x91, 0x17, 0xea, 0x4d, 0x19,
					 0xc3, 0x43, 0x4d);

/* A CPU that comes online may be another than before: what was answered for it counts no more. */
static DEFINE_PER_CPU(atomic_t, generation);

/**
 * struct tph_answer - what firmware said about one CPU
 * @value: the 64-bit answer, if @error is 0
 * @error: 0 or a negative errno
 * @generation: of the CPU, when it was asked
 * @when: jiffies when it was asked
 * @asked: all of this is valid
 */
struct tph_answer {
	u64 value;
	int error;
	int generation;
	unsigned long when;
	bool asked;
};

#ifdef CONFIG_ACPI
static bool has_dsm(acpi_handle handle)
{
	return handle && acpi_check_dsm(handle, &dsm_guid, DSM_REVISION, BIT(DSM_FUNCTION));
}

/*
 * Not by acpi_evaluate_dsm(), which does not tell a lack of memory from an answer that is none: the
 * former passes.
 */
static int ask(acpi_handle handle, u32 cpu, u64 *answer)
{
	union acpi_object properties[] = {
		{ .integer = { ACPI_TYPE_INTEGER, DSM_FEATURE_CACHE_LOCALITY } },
		{ .integer = { ACPI_TYPE_INTEGER, 0 } },	/* processor UID */
		{ .integer = { ACPI_TYPE_INTEGER, 0 } },	/* properties */
	};
	union acpi_object arguments[] = {
		{ .buffer = { ACPI_TYPE_BUFFER, sizeof(dsm_guid), (u8 *)&dsm_guid } },
		{ .integer = { ACPI_TYPE_INTEGER, DSM_REVISION } },
		{ .integer = { ACPI_TYPE_INTEGER, DSM_FUNCTION } },
		{ .package = { ACPI_TYPE_PACKAGE, ARRAY_SIZE(properties), properties } },
	};
	struct acpi_object_list input = { ARRAY_SIZE(arguments), arguments };
	struct acpi_buffer output = { ACPI_ALLOCATE_BUFFER, NULL };
	union acpi_object *out;
	acpi_status status;
	int ret = -EIO;
	u32 uid;

	if (!handle || acpi_get_cpu_uid(cpu, &uid))
		return -ENODEV;
	properties[1].integer.value = uid;

	status = acpi_evaluate_object(handle, "_DSM", &input, &output);
	if (status == AE_NO_MEMORY)
		return -ENOMEM;
	out = output.pointer;
	if (ACPI_FAILURE(status) || !out)
		return -EIO;
	if (out->type == ACPI_TYPE_BUFFER && out->buffer.length >= sizeof(*answer)) {
		*answer = get_unaligned_le64(out->buffer.pointer);
		ret = 0;
	}
	ACPI_FREE(out);
	return ret;
}
#else
static bool has_dsm(acpi_handle handle)
{
	return false;
}

static int ask(acpi_handle handle, u32 cpu, u64 *answer)
{
	return -ENODEV;
}
#endif

/**
 * tph_source_init() - find the firmware object of a function's host bridge
 * @tph: the device
 *
 * The host bridge answers for everything below it, root-complex integrated endpoints included.
 *
 * Context: may sleep; evaluates AML.
 */
void tph_source_init(struct tph_vdev *tph)
{
	struct pci_host_bridge *bridge = pci_find_host_bridge(tph->core.pdev->bus);

	mutex_init(&tph->source.lock);
	tph->source.handle = ACPI_HANDLE(&bridge->dev);
	tph->source.present = has_dsm(tph->source.handle);
}

/**
 * tph_source_release() - forget firmware's answers
 * @tph: the device
 */
void tph_source_release(struct tph_vdev *tph)
{
	kvfree(tph->source.answers);
	tph->source.answers = NULL;
	mutex_destroy(&tph->source.lock);
}

/**
 * tph_source_forget() - what firmware said about a CPU counts no more, for any device
 * @cpu: a possible CPU
 *
 * Context: any; waits for nobody.
 */
void tph_source_forget(u32 cpu)
{
	atomic_inc(per_cpu_ptr(&generation, cpu));
}

/* A good answer counts for as long as the CPU stays, another for a second: it may pass. */
static bool still_counts(const struct tph_answer *answer, int now)
{
	return answer->asked && answer->generation == now &&
	       (!answer->error || time_before(jiffies, answer->when + HZ));
}

/**
 * tph_source_resolve() - get a CPU's steering tags
 * @tph: the device
 * @cpu: host CPU number that tph_grant_check() has passed
 * @persistent: tags for persistent memory, else volatile
 * @tags: receives both the 8-bit and the 16-bit one, each with its valid bit
 *
 * Firmware is evaluated once per CPU and device for as long as the CPU stays online. If it fails,
 * again, but at most once a second; and whenever there was no memory for it.
 *
 * Context: may sleep; evaluates AML, so neither memory_lock nor @tph->lock is held.
 * Return: 0; -ENODEV if firmware does not know the host bridge or the CPU; -EIO if it fails or its
 * answer is malformed; -ENOMEM.
 */
int tph_source_resolve(struct tph_vdev *tph, u32 cpu, bool persistent, struct tph_tags *tags)
{
	struct tph_source *source = &tph->source;
	struct tph_answer *answer;
	int now;

	lockdep_assert_not_held(&tph->lock);
	if (WARN_ON_ONCE(cpu >= nr_cpu_ids))
		return -EINVAL;
	cpu = array_index_nospec(cpu, nr_cpu_ids);

	guard(mutex)(&source->lock);
	if (!source->answers)
		source->answers = kvcalloc(nr_cpu_ids, sizeof(*source->answers), GFP_KERNEL);
	if (!source->answers)
		return -ENOMEM;

	answer = &source->answers[cpu];
	/* before the question: an answer about a CPU that is replaced meanwhile is outdated */
	now = atomic_read(per_cpu_ptr(&generation, cpu));
	if (!still_counts(answer, now)) {
		answer->error = ask(source->handle, cpu, &answer->value);
		answer->generation = now;
		answer->when = jiffies;
		/* no answer is none that firmware gave */
		answer->asked = answer->error != -ENOMEM;
		pci_dbg(tph->core.pdev, "steering tags of CPU %u: %#018llx (%d)\n", cpu,
			answer->value, answer->error);
	}
	if (!answer->error)
		tph_tags_decode(answer->value, persistent, tags);
	return answer->error;
}
