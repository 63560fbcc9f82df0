// SPDX-License-Identifier: MIT
#include "profile.h"

#include <stdarg.h>
#include <string.h>

#include <linux/pci_regs.h>

#include "aer.h"
#include "format/bits.h"
#include "msix.h"
#include "tph.h"

#define POINTER_MASK  0xfcu
#define EXPRESS_V1    0x14u /* bytes of the PCI Express capability of an endpoint: version 1, */
#define EXPRESS_V2    0x3cu /* and 2 */
#define HEADER_TYPE   0x7fu
#define BAR_TYPES     (PCI_BASE_ADDRESS_MEM_TYPE_MASK | PCI_BASE_ADDRESS_MEM_PREFETCH)
#define BAR_SIZE_LEAST 0x1000u

/** struct kind - of a capability; @size: bytes that it has if it is own */
struct kind {
	uint16_t id;
	uint16_t size;
	enum profile_fate fate;
	const char *name;
	const char *why;
};

#define ASKS "software would ask it, and nobody answers"

static const struct kind kinds[] = {
	{ PCI_CAP_ID_PM, PCI_PM_SIZEOF, PROFILE_OWN, "Power Management", "D0 and D3hot" },
	{ PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF, PROFILE_OWN, "MSI-X", NULL },
	{ PCI_CAP_ID_EXP, EXPRESS_V1, PROFILE_OWN, "PCI Express", "without ASPM, LTR and OBFF" },
	{ PCI_CAP_ID_AF, PCI_CAP_AF_SIZEOF, PROFILE_OWN, "Advanced Features", NULL },
	{ PCI_CAP_ID_VNDR, 0, PROFILE_TAKEN, "Vendor Specific", NULL },
	{ PCI_CAP_ID_SSVID, 0, PROFILE_TAKEN, "Subsystem", NULL },
	{ PCI_CAP_ID_MSI, 0, PROFILE_LEFT_OUT, "MSI", "there is MSI-X alone" },
	{ PCI_CAP_ID_VPD, 0, PROFILE_LEFT_OUT, "Vital Product Data", ASKS },
	{ PCI_CAP_ID_EA, 0, PROFILE_LEFT_OUT, "Enhanced Allocation", "BARs are as BARs are" },
};

static const struct kind extended_kinds[] = {
	{ PCI_EXT_CAP_ID_TPH, TPH_TABLE, PROFILE_OWN, "TPH Requester", NULL },
	{ PCI_EXT_CAP_ID_ERR, AER_SIZE_LEAST, PROFILE_OWN, "Advanced Error Reporting", NULL },
	{ PCI_EXT_CAP_ID_PASID, 8, PROFILE_OWN, "PASID", "20 bits, no permissions" },
	{ PCI_EXT_CAP_ID_DSN, 0, PROFILE_TAKEN, "Device Serial Number", NULL },
	{ PCI_EXT_CAP_ID_VNDR, 0, PROFILE_TAKEN, "Vendor-Specific", NULL },
	{ PCI_EXT_CAP_ID_DVSEC, 0, PROFILE_TAKEN, "Designated Vendor-Specific", NULL },
	{ PCI_EXT_CAP_ID_SECPCI, 0, PROFILE_TAKEN, "Secondary PCI Express", NULL },
	{ PCI_EXT_CAP_ID_DLF, 0, PROFILE_TAKEN, "Data Link Feature", NULL },
	{ PCI_EXT_CAP_ID_PL_16GT, 0, PROFILE_TAKEN, "Physical Layer 16.0 GT/s", NULL },
	{ PCI_EXT_CAP_ID_SRIOV, 0, PROFILE_LEFT_OUT, "SR-IOV", "there are no VFs" },
	{ PCI_EXT_CAP_ID_ARI, 0, PROFILE_LEFT_OUT, "ARI", "the next function is not there" },
	{ PCI_EXT_CAP_ID_ATS, 0, PROFILE_LEFT_OUT, "ATS", ASKS },
	{ PCI_EXT_CAP_ID_PRI, 0, PROFILE_LEFT_OUT, "Page Request", ASKS },
	{ PCI_EXT_CAP_ID_REBAR, 0, PROFILE_LEFT_OUT, "Resizable BAR", ASKS },
	{ PCI_EXT_CAP_ID_LTR, 0, PROFILE_LEFT_OUT, "LTR", "no latency is told" },
	{ PCI_EXT_CAP_ID_L1SS, 0, PROFILE_LEFT_OUT, "L1 PM Substates", "there is no link" },
	{ PCI_EXT_CAP_ID_PTM, 0, PROFILE_LEFT_OUT, "Precision Time Measurement", ASKS },
	{ PCI_EXT_CAP_ID_VC, 0, PROFILE_LEFT_OUT, "Virtual Channel", ASKS },
	{ PCI_EXT_CAP_ID_DOE, 0, PROFILE_LEFT_OUT, "Data Object Exchange", ASKS },
};

static int refuse(char *why, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return -1;
}

static uint16_t word(const struct profile *profile, size_t at)
{
	return le16_get(profile->bytes + at);
}

static uint32_t dword(const struct profile *profile, size_t at)
{
	return le32_get(profile->bytes + at);
}

static struct profile_capability classify(const struct kind *table, size_t count, size_t at,
					  uint16_t id)
{
	struct profile_capability capability = {
		.at = (uint16_t)at,
		.id = id,
		.fate = PROFILE_LEFT_OUT,
		.name = "a capability",
		.why = "it is not known here",
	};

	for (size_t i = 0; i < count; i++) {
		if (table[i].id != id)
			continue;
		capability.fate = table[i].fate;
		capability.name = table[i].name;
		capability.why = table[i].why;
	}
	return capability;
}

static const struct profile_capability *find(const struct profile_capability *list,
					     unsigned int count, uint16_t id)
{
	for (unsigned int i = 0; i < count; i++)
		if (list[i].id == id && list[i].fate == PROFILE_OWN)
			return &list[i];
	return NULL;
}

/* A second one of a kind that is own would do nothing. */
static void only_one(struct profile_capability *list, unsigned int count)
{
	struct profile_capability *last = &list[count - 1];

	if (last->fate != PROFILE_OWN || !find(list, count - 1, last->id))
		return;
	last->fate = PROFILE_LEFT_OUT;
	last->why = "it is the second one";
}

static int walk(struct profile *profile, char *why, size_t size)
{
	bool seen[PROFILE_CONVENTIONAL_SIZE] = { false };
	size_t at = profile->bytes[PCI_CAPABILITY_LIST] & POINTER_MASK;

	if (!(word(profile, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		at = 0;
	while (at) {
		if (at < PCI_STD_HEADER_SIZEOF || seen[at])
			return refuse(why, size, "its list of capabilities comes to 0x%zx%s", at,
				      seen[at] ? " twice" : "");
		seen[at] = true;
		profile->capabilities[profile->count++] =
			classify(kinds, ARRAY_SIZE(kinds), at, profile->bytes[at]);
		only_one(profile->capabilities, profile->count);
		at = profile->bytes[at + 1] & POINTER_MASK;
	}
	return 0;
}

static int walk_extended(struct profile *profile, char *why, size_t size)
{
	static bool seen[CONFIG_SPACE_SIZE];
	size_t at = PROFILE_CONVENTIONAL_SIZE;

	memset(seen, 0, sizeof(seen));
	if (profile->size < CONFIG_SPACE_SIZE || !dword(profile, at) ||
	    dword(profile, at) == UINT32_MAX)
		return 0;
	while (at) {
		const uint32_t header = dword(profile, at);

		if (at < PROFILE_CONVENTIONAL_SIZE || seen[at])
			return refuse(why, size, "its list of extended capabilities comes to 0x%zx%s",
				      at, seen[at] ? " twice" : "");
		seen[at] = true;
		/* the null capability has no content, and the first place may have it */
		if (header & 0xffff) {
			profile->extended[profile->extended_count++] =
				classify(extended_kinds, ARRAY_SIZE(extended_kinds), at,
					 (uint16_t)header);
			only_one(profile->extended, profile->extended_count);
		}
		at = header >> 20 & ~3u;
	}
	return 0;
}

static unsigned int table_size(uint32_t capability)
{
	return ((capability & TPH_TABLE_SIZE) >> TPH_TABLE_SIZE_SHIFT) + 1;
}

static size_t own_size(const struct profile *profile, const struct kind *table, size_t count,
		       const struct profile_capability *own)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		if (table[i].id == own->id)
			size = table[i].size;
	if (table == kinds && own->id == PCI_CAP_ID_EXP &&
	    (profile->bytes[own->at + PCI_EXP_FLAGS] & PCI_EXP_FLAGS_VERS) > 1)
		size = EXPRESS_V2;
	if (table == extended_kinds && own->id == PCI_EXT_CAP_ID_TPH &&
	    own->at + size <= CONFIG_SPACE_SIZE) {
		const uint32_t capability = dword(profile, own->at + TPH_CAPABILITY);

		if ((capability & TPH_LOCATION) >> TPH_LOCATION_SHIFT == ST_TABLE_CAPABILITY)
			size += 2 * (size_t)table_size(capability);
		size = (size + 3) & ~(size_t)3;
	}
	return size;
}

/* Two that do something, in one place: then neither could be right. */
static int check_room(const struct profile *profile, const struct kind *table, size_t kind_count,
		      const struct profile_capability *list, unsigned int count, size_t end, char *why,
		      size_t size)
{
	for (unsigned int i = 0; i < count; i++) {
		const size_t at = list[i].at;
		const size_t bytes = own_size(profile, table, kind_count, &list[i]);

		if (list[i].fate != PROFILE_OWN)
			continue;
		if (at + bytes > end)
			return refuse(why, size, "%s at 0x%zx has %zu bytes, beyond 0x%zx",
				      list[i].name, at, bytes, end);
		for (unsigned int j = 0; j < count; j++)
			if (j != i && list[j].fate == PROFILE_OWN && list[j].at >= at &&
			    list[j].at < at + bytes)
				return refuse(why, size, "%s at 0x%zx has %zu bytes, and %s is at "
					      "0x%x", list[i].name, at, bytes, list[j].name,
					      list[j].at);
	}
	return 0;
}

static uint16_t place(const struct profile_capability *list, unsigned int count, uint16_t id)
{
	const struct profile_capability *own = find(list, count, id);

	return own ? own->at : 0;
}

static void find_places(struct profile *profile)
{
	const struct profile_capability *list = profile->capabilities, *more = profile->extended;
	const unsigned int count = profile->count, more_count = profile->extended_count;

	profile->places = (struct places){
		.pm = (uint8_t)place(list, count, PCI_CAP_ID_PM),
		.msix = (uint8_t)place(list, count, PCI_CAP_ID_MSIX),
		.express = (uint8_t)place(list, count, PCI_CAP_ID_EXP),
		.af = (uint8_t)place(list, count, PCI_CAP_ID_AF),
		.aer = place(more, more_count, PCI_EXT_CAP_ID_ERR),
		.pasid = place(more, more_count, PCI_EXT_CAP_ID_PASID),
	};
	profile->tph_at = place(more, more_count, PCI_EXT_CAP_ID_TPH);
}

static int check_kind(const struct profile *profile, char *why, size_t size)
{
	unsigned int type;

	if (!profile->places.express)
		return refuse(why, size, "it has no PCI Express capability");
	type = (word(profile, profile->places.express + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_TYPE) >> 4;
	if ((profile->bytes[PCI_HEADER_TYPE] & HEADER_TYPE) != PCI_HEADER_TYPE_NORMAL ||
	    (type != PCI_EXP_TYPE_ENDPOINT && type != PCI_EXP_TYPE_LEG_END &&
	     type != PCI_EXP_TYPE_RC_END))
		return refuse(why, size, "it is no endpoint: its PCI Express capability says type %u",
			      type);
	return 0;
}

int profile_read(struct profile *profile, char *why, size_t size)
{
	if (word(profile, PCI_VENDOR_ID) == 0xffff || !word(profile, PCI_VENDOR_ID))
		return refuse(why, size, "its vendor is 0x%04x: the device did not answer",
			      word(profile, PCI_VENDOR_ID));
	if (walk(profile, why, size) || walk_extended(profile, why, size))
		return -1;
	if (check_room(profile, kinds, ARRAY_SIZE(kinds), profile->capabilities, profile->count,
		       PROFILE_CONVENTIONAL_SIZE, why, size) ||
	    check_room(profile, extended_kinds, ARRAY_SIZE(extended_kinds), profile->extended,
		       profile->extended_count, CONFIG_SPACE_SIZE, why, size))
		return -1;
	find_places(profile);
	return check_kind(profile, why, size);
}

/* ---- what the knobs make of it ---- */

static bool is_memory(const struct profile *profile, unsigned int bar)
{
	const uint32_t value = dword(profile, PCI_BASE_ADDRESS_0 + 4 * bar);

	return !(value & PCI_BASE_ADDRESS_SPACE_IO) && (value || profile->bar_size[bar]);
}

static bool is_wide(const struct profile *profile, unsigned int bar)
{
	const uint32_t value = dword(profile, PCI_BASE_ADDRESS_0 + 4 * bar);

	return bar + 1 < KNOBS_BARS &&
	       (value & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
}

/* Memory BARs; of unknown size, the least that there can be. */
static void take_bars(const struct profile *profile, struct knobs *knobs)
{
	for (unsigned int bar = 0; bar < KNOBS_BARS; bar++) {
		uint64_t size = profile->bar_size[bar];

		knobs->bars[bar] = (struct bar){ 0 };
		if (!is_memory(profile, bar))
			continue;
		if (size < BAR_SIZE_LEAST)
			size = BAR_SIZE_LEAST;
		if (size > PROFILE_BAR_MAX)
			size = PROFILE_BAR_MAX;
		knobs->bars[bar].size = (uint32_t)size;
		knobs->bars[bar].type = dword(profile, PCI_BASE_ADDRESS_0 + 4 * bar) & BAR_TYPES;
		if (!is_wide(profile, bar)) {
			knobs->bars[bar].type &= ~PCI_BASE_ADDRESS_MEM_TYPE_MASK;
			continue;
		}
		knobs->bars[++bar] = (struct bar){ 0 };
	}
}

/* Whether @bar is the upper half of another one. */
static bool is_upper(const struct knobs *knobs, unsigned int bar)
{
	return bar && knobs->bars[bar - 1].size &&
	       knobs->bars[bar - 1].type & PCI_BASE_ADDRESS_MEM_TYPE_64;
}

/* Table and PBA as the device has them, as far as they are in one BAR and beside the registers. */
static void take_msix(const struct profile *profile, struct knobs *knobs)
{
	const size_t at = profile->places.msix;
	uint32_t table, pba;
	size_t size;

	knobs->vectors = 0;
	if (!at)
		return;
	knobs->vectors = (word(profile, at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
	table = dword(profile, at + PCI_MSIX_TABLE);
	pba = dword(profile, at + PCI_MSIX_PBA);
	knobs->msix_bar = table & PCI_MSIX_TABLE_BIR;
	knobs->msix_at = table & PCI_MSIX_TABLE_OFFSET;
	knobs->pba_at = pba & PCI_MSIX_PBA_OFFSET;
	if (knobs->msix_bar >= KNOBS_BARS || is_upper(knobs, knobs->msix_bar))
		knobs->msix_bar = REGISTERS_BAR;
	/* one that the file does not have: nothing else is to come there */
	if (!knobs->bars[knobs->msix_bar].size)
		knobs->bars[knobs->msix_bar].size = BAR_SIZE_LEAST;
	if (knobs->msix_bar == REGISTERS_BAR && knobs->msix_at < knobs->registers_end)
		knobs->msix_at = knobs->registers_end;
	size = msix_table_size(knobs->vectors);
	if (knobs->msix_at > PROFILE_BAR_MAX / 2)
		knobs->msix_at = knobs->msix_bar == REGISTERS_BAR ? knobs->registers_end : 0;
	/* in another BAR, in the table, among the registers, or too far away */
	if ((pba & PCI_MSIX_PBA_BIR) != (table & PCI_MSIX_TABLE_BIR) ||
	    (knobs->pba_at < knobs->msix_at + size &&
	     knobs->pba_at + msix_pba_size(knobs->vectors) > knobs->msix_at) ||
	    (knobs->msix_bar == REGISTERS_BAR && knobs->pba_at < knobs->registers_end) ||
	    knobs->pba_at > PROFILE_BAR_MAX / 2)
		knobs->pba_at = (uint32_t)(knobs->msix_at + size);
}

static void take_tph(const struct profile *profile, struct knobs *knobs)
{
	const size_t at = profile->tph_at;
	uint32_t capability, location;

	knobs->tph = at;
	knobs->entries = knobs->claim = 0;
	if (!at)
		return;
	knobs->tph_at = (uint16_t)at;
	capability = dword(profile, at + TPH_CAPABILITY);
	location = (capability & TPH_LOCATION) >> TPH_LOCATION_SHIFT;
	knobs->modes = capability & TPH_MODES;
	knobs->width = capability & TPH_EXTENDED ? 16 : 8;
	knobs->table = location > ST_TABLE_MSIX ? ST_TABLE_NONE : (enum st_table)location;
	if (knobs->table != ST_TABLE_NONE)
		knobs->claim = knobs->entries = table_size(capability);
	if (knobs->table == ST_TABLE_CAPABILITY && knobs->entries > KNOBS_CAPABILITY_ENTRIES_MAX)
		knobs->entries = KNOBS_CAPABILITY_ENTRIES_MAX;
	if (knobs->table == ST_TABLE_MSIX && knobs->entries > knobs->vectors)
		knobs->entries = knobs->vectors;
	knobs->control = dword(profile, at + TPH_CONTROL) & tph_control_writable(knobs);
	for (unsigned int i = 0; knobs->table == ST_TABLE_CAPABILITY && i < knobs->entries; i++) {
		knobs->tags[i] = word(profile, at + TPH_TABLE + 2 * (size_t)i);
		if (knobs->width == 8)
			knobs->tags[i] &= 0xff;
		if (knobs->tags[i])
			knobs->tag_count = i + 1;
	}
}

void profile_apply(struct profile *profile, struct knobs *knobs)
{
	const size_t express = profile->places.express;

	knobs->profile = profile;
	knobs->vendor = word(profile, PCI_VENDOR_ID);
	knobs->device = word(profile, PCI_DEVICE_ID);
	knobs->class_code = dword(profile, PCI_CLASS_REVISION) >> 8;
	knobs->revision = profile->bytes[PCI_CLASS_REVISION];
	knobs->flr = dword(profile, express + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR;
	knobs->completer = COMPLETER_NONE;
	if ((word(profile, express + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_VERS) > 1)
		knobs->completer = dword(profile, express + PCI_EXP_DEVCAP2) >> 12 & 3;
	knobs->af = profile->places.af;
	knobs->aer = profile->places.aer;
	knobs->pasid = profile->places.pasid;
	knobs->no_soft_reset = profile->places.pm &&
			       word(profile, profile->places.pm + PCI_PM_CTRL) &
				       PCI_PM_CTRL_NO_SOFT_RESET;
	take_bars(profile, knobs);
	take_msix(profile, knobs);
	take_tph(profile, knobs);
}

static uint32_t power_of_two(size_t least)
{
	uint32_t size = BAR_SIZE_LEAST;

	while (size < least)
		size <<= 1;
	return size;
}

/* BAR 0 has the registers of the model, and one BAR the MSI-X table: both as large as they need. */
void profile_lay_bars(struct knobs *knobs)
{
	struct bar *registers = &knobs->bars[REGISTERS_BAR], *msix = &knobs->bars[knobs->msix_bar];
	size_t end = knobs->msix_at + msix_table_size(knobs->vectors);

	if (registers->size < knobs->registers_size)
		registers->size = knobs->registers_size;
	if (!knobs->vectors)
		return;
	if (end < knobs->pba_at + msix_pba_size(knobs->vectors))
		end = knobs->pba_at + msix_pba_size(knobs->vectors);
	if (msix->size < end)
		msix->size = power_of_two(end);
	knobs->msix_size = msix->size;
}

/* ---- what is said of it ---- */

static void print_size(FILE *file, uint64_t size)
{
	if (size >> 20)
		fprintf(file, "%llu MiB", (unsigned long long)size >> 20);
	else
		fprintf(file, "%llu KiB", (unsigned long long)size >> 10);
}

static void describe_bar(const struct knobs *knobs, unsigned int bar, FILE *file)
{
	const struct profile *profile = knobs->profile;
	const uint32_t value = dword(profile, PCI_BASE_ADDRESS_0 + 4 * bar);
	const struct bar *own = &knobs->bars[bar];

	if (!own->size && (is_upper(knobs, bar) || (!value && !profile->bar_size[bar])))
		return;
	fprintf(file, "  BAR %u     ", bar);
	if (!own->size) {
		fputs("left out: it is for I/O\n", file);
		return;
	}
	print_size(file, own->size);
	fprintf(file, ", %u bits%s", own->type & PCI_BASE_ADDRESS_MEM_TYPE_64 ? 64 : 32,
		own->type & PCI_BASE_ADDRESS_MEM_PREFETCH ? ", prefetchable" : "");
	if (profile->bar_size[bar] && profile->bar_size[bar] != own->size) {
		fputs(" (the device's has ", file);
		print_size(file, profile->bar_size[bar]);
		fputc(')', file);
	} else if (!profile->bar_size[bar]) {
		fputs(" (the file does not tell the device's)", file);
	}
	if (bar == REGISTERS_BAR)
		fprintf(file, ": registers of %s, not the device's", knobs->model->name);
	if (knobs->vectors && bar == knobs->msix_bar)
		fprintf(file, "%s MSI-X table at 0x%x, PBA at 0x%x",
			bar == REGISTERS_BAR ? ";" : ":", knobs->msix_at, knobs->pba_at);
	else if (bar != REGISTERS_BAR)
		fputs(knobs->memory_bar == bar ? ": memory" : ": reads 0", file);
	fputc('\n', file);
}

static void describe_list(const struct profile_capability *list, unsigned int count, FILE *file)
{
	static const char *const fates[] = {
		[PROFILE_OWN] = "works",
		[PROFILE_TAKEN] = "reads as the device's",
		[PROFILE_LEFT_OUT] = "left out",
	};

	for (unsigned int i = 0; i < count; i++)
		fprintf(file, "  0x%03x     %s (id 0x%02x): %s%s%s\n", list[i].at, list[i].name,
			list[i].id, fates[list[i].fate], list[i].why ? ": " : "",
			list[i].why ? list[i].why : "");
}

static void describe_tph(const struct knobs *knobs, FILE *file)
{
	static const char *const tables[] = { "none", "in the capability", "in MSI-X" };

	if (!knobs->tph) {
		fputs("  TPH       it has no TPH Requester capability\n", file);
		return;
	}
	fprintf(file, "  TPH       modes%s%s%s%s, tags of %u bits, table %s", knobs->modes & 1 ? " nost" : "",
		knobs->modes & 2 ? " iv" : "", knobs->modes & 4 ? " ds" : "",
		knobs->modes ? "" : " none", knobs->width, tables[knobs->table]);
	if (knobs->claim)
		fprintf(file, ", %u entries", knobs->claim);
	if (knobs->control)
		fprintf(file, ", comes with control 0x%x", knobs->control);
	fputc('\n', file);
}

void profile_describe(const struct knobs *knobs, FILE *file)
{
	const struct profile *profile = knobs->profile;

	fprintf(file, "%s: %04x:%04x, class %06x, revision %02x, of %s (%zu bytes)\n", knobs->name,
		knobs->vendor, knobs->device, knobs->class_code, knobs->revision, profile->path,
		profile->size);
	fputs("  header    ids, class and subsystem are the device's; Command, Status and interrupt "
	      "line begin anew; no INTx, no ROM\n", file);
	for (unsigned int bar = 0; bar < KNOBS_BARS; bar++)
		describe_bar(knobs, bar, file);
	describe_list(profile->capabilities, profile->count, file);
	describe_list(profile->extended, profile->extended_count, file);
	describe_tph(knobs, file);
	if (profile->size < CONFIG_SPACE_SIZE)
		fputs("  the file has no extended configuration space: give lspci -xxxx, as root\n",
		      file);
}
