// SPDX-License-Identifier: GPL-2.0-only
#include <linux/acpi.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "tph_vfio_pci.h"

/* PCI Firmware 3.3 ECN "Revised _DSM for Cache Locality TPH Features": revision 7, function 15. */
#define DSM_REVISION	7
#define DSM_FUNCTION	0xf
#define DSM_FEATURE_CACHE_LOCALITY	0

static const guid_t dsm_guid = GUID_INIT(0xe5c937d0, 0x3553, 0x4d7a, 0x91, 0x17, 0xea, 0x4d, 0x19,
					 0xc3, 0x43, 0x4d);

/**
 * struct tph_answer - what firmware said about one CPU
 * @value: the 64-bit answer, if @error is 0
 * @error: 0 or a negative errno
 * @asked: @value and @error are firmware's; it is asked once
 */
struct tph_answer {
	u64 value;
	int error;
	bool asked;
};

/**
 * tph_source_init() - find the firmware object of a function's host bridge
 * @tph: the device
 *
 * The host bridge answers for everything below it, root-complex integrated endpoints included.
 *
 * Return: 0 or -ENOMEM.
 */
int tph_source_init(struct tph_vdev *tph)
{
	struct pci_host_bridge *bridge = pci_find_host_bridge(tph->core.pdev->bus);

	tph->source.answers = kvcalloc(nr_cpu_ids, sizeof(*tph->source.answers), GFP_KERNEL);
	if (!tph->source.answers)
		return -ENOMEM;
	tph->source.handle = ACPI_HANDLE(&bridge->dev);
	return 0;
}

/**
 * tph_source_release() - forget firmware's answers
 * @tph: the device
 */
void tph_source_release(struct tph_vdev *tph)
{
	kvfree(tph->source.answers);
	tph->source.answers = NULL;
}

#ifdef CONFIG_ACPI
/**
 * tph_source_present() - whether firmware can tell steering tags for this device
 * @tph: the device
 *
 * Return: true if the host bridge has the _DSM function.
 */
bool tph_source_present(struct tph_vdev *tph)
{
	return tph->source.handle &&
	       acpi_check_dsm(tph->source.handle, &dsm_guid, DSM_REVISION, BIT(DSM_FUNCTION));
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
bool tph_source_present(struct tph_vdev *tph)
{
	return false;
}

static int ask(acpi_handle handle, u32 cpu, u64 *answer)
{
	return -ENODEV;
}
#endif

/**
 * tph_source_resolve() - get a CPU's steering tags
 * @tph: the device
 * @cpu: host CPU number that tph_grant_check() has passed
 * @persistent: tags for persistent memory, else volatile
 * @tags: receives both the 8-bit and the 16-bit one, each with its valid bit
 *
 * Firmware is evaluated once per CPU and device, whatever it answers; again only if there was no
 * memory for it.
 *
 * Context: may sleep; evaluates AML.
 * Return: 0; -ENODEV if firmware does not know the host bridge or the CPU; -EIO if it fails or its
 * answer is malformed; -ENOMEM.
 */
int tph_source_resolve(struct tph_vdev *tph, u32 cpu, bool persistent, struct tph_tags *tags)
{
	struct tph_answer *answer;

	lockdep_assert_held(&tph->lock);
	if (WARN_ON_ONCE(cpu >= nr_cpu_ids))
		return -EINVAL;

	answer = &tph->source.answers[array_index_nospec(cpu, nr_cpu_ids)];
	if (!answer->asked) {
		answer->error = ask(tph->source.handle, cpu, &answer->value);
		/* no answer is none that firmware gave */
		answer->asked = answer->error != -ENOMEM;
		pci_dbg(tph->core.pdev, "steering tags of CPU %u: %#018llx (%d)\n", cpu,
			answer->value, answer->error);
	}
	if (!answer->error)
		tph_tags_decode(answer->value, persistent, tags);
	return answer->error;
}
