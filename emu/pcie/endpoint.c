// SPDX-License-Identifier: MIT
#include "endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "models/registers.h"

#define EXT_CAP_FIRST	     0x100u
#define PM_STATE_MASK	     0x3u
#define PM_D0		     0u
#define PM_D3HOT	     3u
#define PAYLOAD_SUPPORTED    2u	     /* 512 bytes, as Max_Payload_Size encodes it */
#define READ_REQUEST_LARGEST 5u	     /* 4096 bytes */
#define STATUS_ERRORS	     0xf900u /* RW1C bits of the Status register */
#define DEVICE_STATUS_ERRORS 0x000fu /* RW1C bits of the Device Status register */

static size_t bar_register(unsigned int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * (size_t)bar;
}

/* BAR 0 has 32 bits, the others two by two 64. */
static bool msix_bar_is_wide(const struct knobs *knobs)
{
	return knobs->msix_bar != EP_BAR && knobs->msix_bar % 2 == 0;
}

static void define_header(const struct knobs *knobs, struct config_space *config)
{
	config_define16(config, PCI_VENDOR_ID, knobs->vendor, 0);
	config_define16(config, PCI_DEVICE_ID, knobs->device, 0);
	config_define16(config, PCI_COMMAND, 0,
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	config_define16(config, PCI_STATUS, PCI_STATUS_CAP_LIST, 0);
	le16_put(config->clear + PCI_STATUS, STATUS_ERRORS);
	config_define32(config, PCI_CLASS_REVISION, knobs->class_code << 8 | EP_VERSION_VALUE, 0);
	config_define8(config, PCI_CACHE_LINE_SIZE, 0, 0xff);
	/* The writable bits of a BAR are what tells software its size. */
	config_define32(config, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_MEM_TYPE_32,
			~(uint32_t)(EP_BAR_SIZE - 1));
	if (knobs->vectors && knobs->msix_bar != EP_BAR) {
		const bool wide = msix_bar_is_wide(knobs);

		config_define32(config, bar_register(knobs->msix_bar),
				wide ? PCI_BASE_ADDRESS_MEM_TYPE_64 : PCI_BASE_ADDRESS_MEM_TYPE_32,
				~(knobs->msix_size - 1));
		if (wide)
			config_define32(config, bar_register(knobs->msix_bar + 1), 0, UINT32_MAX);
	}
	if (knobs->memory_bar) {
		const size_t at = bar_register(knobs->memory_bar);

		config_define32(config, at,
				PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
				~(knobs->memory_size - 1));
		config_define32(config, at + 4, 0, UINT32_MAX);
	}
	config_define16(config, PCI_SUBSYSTEM_VENDOR_ID, knobs->vendor, 0);
	config_define16(config, PCI_SUBSYSTEM_ID, knobs->device, 0);
	config_define8(config, PCI_CAPABILITY_LIST, ENDPOINT_PM_AT, 0);
	config_define8(config, PCI_INTERRUPT_LINE, 0, 0xff);
	if (knobs->extra_at)
		config_define32(config, knobs->extra_at, knobs->extra_value, 0);
}

static void define_pm(const struct knobs *knobs, struct config_space *config)
{
	const uint8_t next = knobs->vectors ? ENDPOINT_MSIX_AT : ENDPOINT_EXPRESS_AT;

	config_define8(config, ENDPOINT_PM_AT, PCI_CAP_ID_PM, 0);
	config_define8(config, ENDPOINT_PM_AT + 1, next, 0);
	config_define16(config, ENDPOINT_PM_AT + PCI_PM_PMC, 3, 0);
	config_define16(config, ENDPOINT_PM_AT + PCI_PM_CTRL,
			knobs->no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0, PM_STATE_MASK);
}

static void define_msix(const struct knobs *knobs, struct config_space *config)
{
	if (!knobs->vectors)
		return;
	config_define8(config, ENDPOINT_MSIX_AT, PCI_CAP_ID_MSIX, 0);
	config_define8(config, ENDPOINT_MSIX_AT + 1, ENDPOINT_EXPRESS_AT, 0);
	config_define16(config, ENDPOINT_MSIX_AT + PCI_MSIX_FLAGS, (uint16_t)(knobs->vectors - 1),
			PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	config_define32(config, ENDPOINT_MSIX_AT + PCI_MSIX_TABLE,
			knobs->msix_at | knobs->msix_bar, 0);
	config_define32(config, ENDPOINT_MSIX_AT + PCI_MSIX_PBA, knobs->pba_at | knobs->msix_bar,
			0);
}

static void define_express(const struct knobs *knobs, struct config_space *config)
{
	const size_t at = ENDPOINT_EXPRESS_AT;
	uint32_t capability, capability2;

	capability = PAYLOAD_SUPPORTED | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER;
	if (knobs->flr)
		capability |= PCI_EXP_DEVCAP_FLR;
	capability2 = PCI_EXP_DEVCAP2_COMP_TMOUT_DIS | knobs->completer << 12;
	/* Extended tags travel in an End-End TLP prefix; one is enough. */
	if ((knobs->tph && knobs->width == 16) || knobs->completer == COMPLETER_EXTENDED)
		capability2 |= PCI_EXP_DEVCAP2_EE_PREFIX | 1u << 22;

	config_define8(config, at, PCI_CAP_ID_EXP, 0);
	config_define8(config, at + 1, knobs->af ? ENDPOINT_AF_AT : 0, 0);
	config_define16(config, at + PCI_EXP_FLAGS, PCI_EXP_TYPE_ENDPOINT << 4 | 2, 0);
	config_define32(config, at + PCI_EXP_DEVCAP, capability, 0);
	config_define16(config, at + PCI_EXP_DEVCTL,
			PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | 2u << 12,
			(uint16_t) ~(PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PHANTOM |
				     PCI_EXP_DEVCTL_AUX_PME));
	config_define16(config, at + PCI_EXP_DEVSTA, 0, 0);
	le16_put(config->clear + at + PCI_EXP_DEVSTA, DEVICE_STATUS_ERRORS);
	/* 2.5 GT/s, one lane, no ASPM and able to say so */
	config_define32(config, at + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1u << 4 | 1u << 22,
			0);
	config_define16(config, at + PCI_EXP_LNKCTL, 0,
			PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC |
				PCI_EXP_LNKCTL_ES);
	config_define16(config, at + PCI_EXP_LNKSTA,
			PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1, 0);
	config_define32(config, at + PCI_EXP_DEVCAP2, capability2, 0);
	config_define16(config, at + PCI_EXP_DEVCTL2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	config_define32(config, at + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB, 0);
	config_define16(config, at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT, 0);

	/* What a function level reset must leave alone (PCIe 6.2, 6.6.2) */
	le16_put(config->kept + at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PAYLOAD);
	le16_put(config->kept + at + PCI_EXP_LNKCTL, 0xffff);
}

/* Advanced Features (PCI ECN of 2006): its control register reads 0, and FLR is all it can do. */
static void define_af(const struct knobs *knobs, struct config_space *config)
{
	if (!knobs->af)
		return;
	config_define8(config, ENDPOINT_AF_AT, PCI_CAP_ID_AF, 0);
	config_define8(config, ENDPOINT_AF_AT + 1, 0, 0);
	config_define8(config, ENDPOINT_AF_AT + PCI_AF_LENGTH, PCI_CAP_AF_SIZEOF, 0);
	config_define8(config, ENDPOINT_AF_AT + PCI_AF_CAP, PCI_AF_CAP_TP | PCI_AF_CAP_FLR, 0);
}

static void define_serial(const struct knobs *knobs, struct config_space *config, size_t at)
{
	config_define32(config, at, PCI_EXT_CAP_ID_DSN | 1u << 16, 0);
	config_define32(config, at + 4, (uint32_t)knobs->device << 16 | knobs->rid, 0);
	config_define32(config, at + 8, EP_ID_VALUE, 0);
}

static void define_pasid(struct config_space *config)
{
	config_define32(config, ENDPOINT_PASID_AT, PCI_EXT_CAP_ID_PASID | 1u << 16, 0);
	/* 20 bits; none of the permissions that it could have */
	config_define16(config, ENDPOINT_PASID_AT + PCI_PASID_CAP, 20u << 8, 0);
	config_define16(config, ENDPOINT_PASID_AT + PCI_PASID_CTRL, 0, PCI_PASID_CTRL_ENABLE);
}

static void define_vsec(struct config_space *config, size_t at, size_t size)
{
	config_define32(config, at, PCI_EXT_CAP_ID_VNDR | 1u << 16, 0);
	config_define32(config, at + 4, ENDPOINT_VSEC_ID | (uint32_t)size << 20, 0);
	config_define_scratch(config, at + KNOBS_VSEC_HEADER, size - KNOBS_VSEC_HEADER);
}

static void define_extended(const struct knobs *knobs, struct config_space *config)
{
	const bool tph_first = knobs->tph && knobs->tph_at == EXT_CAP_FIRST;
	size_t chain[KNOBS_VSECS_MAX + 4], count = 0;

	if (tph_first)
		chain[count++] = EXT_CAP_FIRST;
	chain[count] = tph_first ? EXT_CAP_FIRST + tph_size(knobs) : EXT_CAP_FIRST;
	define_serial(knobs, config, chain[count++]);
	if (knobs->tph)
		tph_define(knobs, config);
	if (knobs->tph && !tph_first && !knobs->vsec_first)
		chain[count++] = knobs->tph_at;
	for (unsigned int i = 0; i < knobs->vsec_count; i++) {
		chain[count++] = knobs->vsecs[i].at;
		define_vsec(config, knobs->vsecs[i].at, knobs->vsecs[i].size);
	}
	if (knobs->tph && !tph_first && knobs->vsec_first)
		chain[count++] = knobs->tph_at;
	if (knobs->pasid) {
		chain[count++] = ENDPOINT_PASID_AT;
		define_pasid(config);
	}
	if (knobs->aer) {
		chain[count++] = AER_AT;
		aer_define(config);
	}
	for (size_t i = 0; i + 1 < count; i++)
		config_define32(config, chain[i],
				config_get32(config, chain[i]) | (uint32_t)chain[i + 1] << 20, 0);
}

/* Behind it is a page that nobody may touch. */
static uint8_t *memory_make(size_t size)
{
	uint8_t *memory = mmap(NULL, size + TLP_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (mprotect(memory, size, PROT_READ | PROT_WRITE)) {
		munmap(memory, size + TLP_PAGE);
		return NULL;
	}
	return memory;
}

static void memory_free(struct endpoint *endpoint)
{
	if (endpoint->memory)
		munmap(endpoint->memory, endpoint->knobs.memory_size + TLP_PAGE);
}

int endpoint_init(struct endpoint *endpoint, const struct knobs *knobs, struct log *log,
		  struct qmp *qmp)
{
	int ret;

	*endpoint = (struct endpoint){
		.knobs = *knobs,
		.log = log,
		.qmp = qmp,
		.capture.sink.fd = -1,
	};
	define_header(knobs, &endpoint->config);
	define_pm(knobs, &endpoint->config);
	define_msix(knobs, &endpoint->config);
	define_express(knobs, &endpoint->config);
	define_af(knobs, &endpoint->config);
	define_extended(knobs, &endpoint->config);
	tph_preset(knobs, &endpoint->config);
	if (knobs->memory_bar) {
		endpoint->memory = memory_make(knobs->memory_size);
		if (!endpoint->memory) {
			knobs_free(&endpoint->knobs);
			return -ENOMEM;
		}
	}
	ret = msix_init(&endpoint->msix, knobs);
	if (ret) {
		memory_free(endpoint);
		knobs_free(&endpoint->knobs);
		return ret;
	}
	dma_reset(endpoint);
	queues_reset(endpoint);
	return 0;
}

void endpoint_fini(struct endpoint *endpoint)
{
	dma_reset(endpoint);
	queues_reset(endpoint);
	capture_close(&endpoint->capture, 0);
	iova_map_fini(&endpoint->map);
	msix_fini(&endpoint->msix);
	memory_free(endpoint);
	knobs_free(&endpoint->knobs);
}

/** struct state - what other parts care about, to tell what an access has changed */
struct state {
	bool bus_master;
	unsigned int power;
	uint32_t control;
};

static bool memory_enabled(const struct endpoint *endpoint)
{
	return config_get16(&endpoint->config, PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

static unsigned int power_state(const struct endpoint *endpoint)
{
	return config_get16(&endpoint->config, ENDPOINT_PM_AT + PCI_PM_CTRL) & PM_STATE_MASK;
}

static struct state state_read(const struct endpoint *endpoint)
{
	return (struct state){
		.bus_master = endpoint_bus_master(endpoint),
		.power = power_state(endpoint),
		.control = tph_control(&endpoint->knobs, &endpoint->config),
	};
}

static void log_control(struct endpoint *endpoint, uint32_t old, uint32_t new)
{
	struct json_object *line = log_event(endpoint->log, "tph-control", endpoint->knobs.name);

	log_hex(line, "old", old, 8);
	log_hex(line, "new", new, 8);
	log_string(line, "mode", tph_mode_name(tph_control_mode(new)));
	log_string(line, "enable", tph_enable_name(tph_control_enable(new)));
	log_write(endpoint->log, line);
}

/* Logs and counts what differs from @old. */
static void state_compare(struct endpoint *endpoint, const struct state *old)
{
	const struct state new = state_read(endpoint);

	if (new.control != old->control)
		log_control(endpoint, old->control, new.control);
	if (tph_control_on(old->control) && !tph_control_on(new.control))
		endpoint->counters.off_windows++;
	if (new.bus_master != old->bus_master) {
		struct json_object *line =
			log_event(endpoint->log, "bus-master", endpoint->knobs.name);

		log_flag(line, "enabled", new.bus_master);
		log_write(endpoint->log, line);
	}
}

/*
 * Nothing of what a user left in it is there for the next one. The pages go, which takes no longer
 * than it took to use them: writing zeros to all of it would keep other functions waiting.
 */
static void memory_reset(struct endpoint *endpoint)
{
	if (endpoint->memory_written &&
	    madvise(endpoint->memory, endpoint->knobs.memory_size, MADV_DONTNEED))
		memset(endpoint->memory, 0, endpoint->knobs.memory_size);
	endpoint->memory_written = false;
}

/* QEMU resets every device as its machine starts: to the guest that is still power-on. */
static void restore(struct endpoint *endpoint, enum config_reset how)
{
	const bool starts = how == CONFIG_RESET_CONVENTIONAL && endpoint->fresh;

	config_reset(&endpoint->config, how);
	if (how == CONFIG_RESET_POWER || starts || endpoint->knobs.preset_always)
		tph_preset(&endpoint->knobs, &endpoint->config);
	endpoint->fresh = how == CONFIG_RESET_POWER;
}

void endpoint_reset(struct endpoint *endpoint, enum endpoint_reset how)
{
	static const char *const names[] = {
		[ENDPOINT_RESET_POWER_ON] = "power-on",
		[ENDPOINT_RESET_FLR] = "flr",
		[ENDPOINT_RESET_AF] = "af-flr",
		[ENDPOINT_RESET_DEVICE] = "device-reset",
		[ENDPOINT_RESET_PM] = "pm",
	};
	static const enum config_reset configs[] = {
		[ENDPOINT_RESET_POWER_ON] = CONFIG_RESET_POWER,
		[ENDPOINT_RESET_FLR] = CONFIG_RESET_FUNCTION,
		[ENDPOINT_RESET_AF] = CONFIG_RESET_FUNCTION,
		[ENDPOINT_RESET_DEVICE] = CONFIG_RESET_CONVENTIONAL,
		[ENDPOINT_RESET_PM] = CONFIG_RESET_FUNCTION,
	};
	const struct state old = state_read(endpoint);
	struct json_object *line = log_event(endpoint->log, "reset", endpoint->knobs.name);

	log_string(line, "how", names[how]);
	log_write(endpoint->log, line);
	if (how != ENDPOINT_RESET_POWER_ON)
		endpoint->counters.resets++;

	if (how == ENDPOINT_RESET_POWER_ON)
		dma_power_on(endpoint);
	else
		dma_reset(endpoint);
	queues_reset(endpoint);
	fabric_abandon(endpoint);
	memory_reset(endpoint);
	msix_reset(&endpoint->msix);
	restore(endpoint, configs[how]);
	if (configs[how] != CONFIG_RESET_FUNCTION)
		endpoint->msix_address = 0;
	state_compare(endpoint, &old);
}

void endpoint_connect(struct endpoint *endpoint)
{
	endpoint_reset(endpoint, ENDPOINT_RESET_POWER_ON);
}

void endpoint_disconnect(struct endpoint *endpoint, const char *reason)
{
	struct json_object *line = log_event(endpoint->log, "disconnect", endpoint->knobs.name);
	const struct state old = state_read(endpoint);

	log_string(line, "reason", reason);
	log_write(endpoint->log, line);
	dma_power_on(endpoint);
	queues_reset(endpoint);
	fabric_forget(endpoint);
	endpoint->carrier = NULL;
	memory_reset(endpoint);
	iova_map_clear(&endpoint->map);
	msix_disconnect(&endpoint->msix);
	restore(endpoint, CONFIG_RESET_POWER);
	endpoint->msix_address = 0;
	state_compare(endpoint, &old);
}

static bool overlaps(size_t at, size_t length, size_t start, size_t size)
{
	return size && length && at < start + size && start < at + length;
}

/*
 * Software that knows that a function sleeps wakes it first, by the registers of its Power
 * Management capability. Whatever else comes is somebody's mistake, though configuration requests
 * are answered in D3hot (PCIe 6.2, 5.3.1.4.1).
 */
static void count_asleep(struct endpoint *endpoint, uint32_t *counter, const char *access,
			 size_t at, size_t length)
{
	struct json_object *line;

	if (endpoint_powered(endpoint))
		return;
	++*counter;
	line = log_event(endpoint->log, "asleep", endpoint->knobs.name);
	log_string(line, "access", access);
	log_hex(line, "at", at, 3);
	log_number(line, "length", length);
	log_write(endpoint->log, line);
}

static void count(struct endpoint *endpoint, bool write, size_t at, size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;

	counters_config(&endpoint->counters, write, at, length);
	if (at < ENDPOINT_PM_AT || at + length > ENDPOINT_PM_AT + PCI_PM_SIZEOF)
		count_asleep(endpoint,
			     write ? &endpoint->counters.asleep_writes
				   : &endpoint->counters.asleep_reads,
			     write ? "config-write" : "config-read", at, length);
	if (knobs->tph && overlaps(at, length, knobs->tph_at, tph_size(knobs)))
		endpoint->counters.tph++;
	if (write && tph_table_at(knobs) &&
	    overlaps(at, length, tph_table_at(knobs), 2 * (size_t)knobs->entries))
		endpoint->counters.st_writes++;
}

void endpoint_config_read(struct endpoint *endpoint, size_t at, uint8_t *data, size_t length)
{
	count(endpoint, false, at, length);
	memcpy(data, endpoint->config.value + at, length);
}

static void log_config_write(struct endpoint *endpoint, const char *event, size_t at,
			     const uint8_t *data, size_t length)
{
	struct json_object *line = log_event(endpoint->log, event, endpoint->knobs.name);
	uint64_t value = 0;

	for (size_t i = 0; i < length && i < sizeof(value); i++)
		value |= (uint64_t)data[i] << 8 * i;
	log_hex(line, "at", at, 3);
	log_number(line, "length", length);
	log_hex(line, "value", value, 1);
	log_write(endpoint->log, line);
}

/*
 * Every write to the capability, and to its neighbours that keep what is written, whether it
 * changes something or not: the order is what counts.
 */
static void tph_written(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;

	for (unsigned int i = 0; i < knobs->vsec_count; i++)
		if (overlaps(at, length, knobs->vsecs[i].at, knobs->vsecs[i].size))
			log_config_write(endpoint, "vsec-write", at, data, length);
	if (!knobs->tph || !overlaps(at, length, knobs->tph_at, tph_size(knobs)))
		return;
	dma_tags_changed(endpoint);
	queues_tags_changed(endpoint);
	log_config_write(endpoint, "tph-write", at, data, length);
}

static void log_entry(struct endpoint *endpoint, unsigned int index, uint16_t old, uint16_t new)
{
	struct json_object *line;

	if (old == new)
		return;
	line = log_event(endpoint->log, "st-entry", endpoint->knobs.name);
	log_number(line, "index", index);
	log_hex(line, "old", old, 4);
	log_hex(line, "new", new, 4);
	log_write(endpoint->log, line);
}

/* The value of a byte that the access writes, or -1 if it does not touch that byte. */
static int written(size_t byte, size_t at, const uint8_t *data, size_t length)
{
	return byte >= at && byte - at < length ? data[byte - at] : -1;
}

static void bars_follow(struct endpoint *endpoint, size_t at, size_t length)
{
	const struct knobs *knobs = &endpoint->knobs;
	const bool wide = msix_bar_is_wide(knobs);
	const size_t bar_at = bar_register(knobs->msix_bar);
	uint64_t low = config_get32(&endpoint->config, bar_at);
	uint64_t high = wide ? config_get32(&endpoint->config, bar_at + 4) : 0;

	if (overlaps(at, length, bar_at, wide ? 8 : 4))
		endpoint->msix_address = high << 32 | (low & ~(uint64_t)(knobs->msix_size - 1));
}

void endpoint_config_write(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	const int device_control_high =
		written(ENDPOINT_EXPRESS_AT + PCI_EXP_DEVCTL + 1, at, data, length);
	const int af_control = written(ENDPOINT_AF_AT + PCI_AF_CTRL, at, data, length);
	const size_t power_at = ENDPOINT_PM_AT + PCI_PM_CTRL,
		     table = tph_table_at(&endpoint->knobs);
	const struct state old = state_read(endpoint);
	uint16_t entries[KNOBS_CAPABILITY_ENTRIES_MAX];
	unsigned int power;

	count(endpoint, true, at, length);
	tph_written(endpoint, at, data, length);
	for (unsigned int i = 0; table && i < endpoint->knobs.entries; i++)
		entries[i] = tph_table_entry(&endpoint->knobs, &endpoint->config, i);

	config_write(&endpoint->config, at, data, length);
	bars_follow(endpoint, at, length);

	/* A state that the function lacks is not entered, and the write is no error (7.5.2.2). */
	power = power_state(endpoint);
	if (power != PM_D0 && power != PM_D3HOT) {
		power = old.power;
		config_set16(
			&endpoint->config, power_at,
			(uint16_t)((config_get16(&endpoint->config, power_at) & ~PM_STATE_MASK) |
				   power));
	}

	for (unsigned int i = 0; table && i < endpoint->knobs.entries; i++)
		log_entry(endpoint, i, entries[i],
			  tph_table_entry(&endpoint->knobs, &endpoint->config, i));
	state_compare(endpoint, &old);

	if (endpoint->knobs.flr && device_control_high >= 0 &&
	    device_control_high & PCI_EXP_DEVCTL_BCR_FLR >> 8)
		endpoint_reset(endpoint, ENDPOINT_RESET_FLR);
	else if (endpoint->knobs.af && af_control >= 0 && af_control & PCI_AF_CTRL_FLR)
		endpoint_reset(endpoint, ENDPOINT_RESET_AF);
	else if (old.power == PM_D3HOT && power == PM_D0 && !endpoint->knobs.no_soft_reset)
		endpoint_reset(endpoint, ENDPOINT_RESET_PM);
	endpoint_interrupts_flush(endpoint);
	dma_config_written(endpoint);
}

size_t endpoint_bar_size(const struct endpoint *endpoint, unsigned int bar)
{
	if (bar == EP_BAR)
		return EP_BAR_SIZE;
	if (endpoint->memory && bar == endpoint->knobs.memory_bar)
		return endpoint->knobs.memory_size;
	return bar == endpoint->knobs.msix_bar && endpoint->knobs.vectors
		       ? endpoint->knobs.msix_size
		       : 0;
}

static bool is_memory(const struct endpoint *endpoint, unsigned int bar)
{
	return endpoint->memory && bar == endpoint->knobs.memory_bar;
}

/* Whether an access is for MSI-X: in a BAR of its own all are. */
static bool is_msix(const struct endpoint *endpoint, unsigned int bar, size_t at, size_t length)
{
	return bar != EP_BAR ||
	       (endpoint->knobs.msix_bar == EP_BAR && msix_covers(&endpoint->msix, at, length));
}

static bool bars_decoded(const struct endpoint *endpoint)
{
	return memory_enabled(endpoint) && endpoint_powered(endpoint);
}

void endpoint_bar_read(struct endpoint *endpoint, unsigned int bar, size_t at, uint8_t *data,
		       size_t length)
{
	count_asleep(endpoint, &endpoint->counters.asleep_memory, "memory-read", at, length);
	memset(data, 0xff, length);
	if (!bars_decoded(endpoint))
		return;
	if (is_memory(endpoint, bar))
		memcpy(data, endpoint->memory + at, length);
	else if (is_msix(endpoint, bar, at, length))
		msix_read(&endpoint->msix, at, data, length);
	else if (length == 4 && at % 4 == 0)
		le32_put(data, registers_read(endpoint, at));
}

static void msix_bar_write(struct endpoint *endpoint, size_t at, const uint8_t *data, size_t length)
{
	struct msix *msix = &endpoint->msix;
	const size_t before = at < msix->table_at ? 0 : at - msix->table_at;

	/* Entry by entry, to log each tag that changes. */
	for (unsigned int i = (unsigned int)(before / MSIX_ENTRY_SIZE); i < msix->count; i++) {
		size_t from = msix->table_at + (size_t)i * MSIX_ENTRY_SIZE;
		size_t to = from + MSIX_ENTRY_SIZE;
		uint16_t old = msix_tag(msix, i);

		if (from < at)
			from = at;
		if (to > at + length)
			to = at + length;
		if (from >= to)
			break;
		msix_write(msix, from, data + (from - at), to - from);
		log_entry(endpoint, i, old, msix_tag(msix, i));
	}
	endpoint_interrupts_flush(endpoint);
}

void endpoint_bar_write(struct endpoint *endpoint, unsigned int bar, size_t at, const uint8_t *data,
			size_t length)
{
	count_asleep(endpoint, &endpoint->counters.asleep_memory, "memory-write", at, length);
	if (!bars_decoded(endpoint))
		return;
	if (is_memory(endpoint, bar)) {
		memcpy(endpoint->memory + at, data, length);
		endpoint->memory_written = true;
	} else if (is_msix(endpoint, bar, at, length)) {
		msix_bar_write(endpoint, at, data, length);
	} else if (length == 4 && at % 4 == 0) {
		registers_write(endpoint, at, le32_get(data));
	}
}

void endpoint_tlp_sent(struct endpoint *endpoint, const struct tlp *tlp, uint32_t select,
		       const struct tlp_path *path)
{
	tlp_trace_add(&endpoint->trace, tlp, endpoint->knobs.rid);
	tlp_log(endpoint->log, &endpoint->knobs, select, tlp, path);
	endpoint->counters.tlps++;
	endpoint->counters.tlps_hinted += tlp->hint.th;
}

/* Registers are written one by one, however many a request has. */
static void receive_write(struct endpoint *endpoint, unsigned int bar, size_t at,
			  const uint8_t *data, size_t length)
{
	while (length) {
		size_t room = is_memory(endpoint, bar) ? length : 4 - at % 4;
		size_t now = length < room ? length : room;

		endpoint_bar_write(endpoint, bar, at, data, now);
		at += now;
		data += now;
		length -= now;
	}
}

bool endpoint_tlp_received(struct endpoint *endpoint, const struct tlp *tlp, unsigned int bar,
			   size_t at, const uint8_t *data, uint16_t requester)
{
	const size_t status_at = ENDPOINT_EXPRESS_AT + PCI_EXP_DEVSTA;
	struct tlp_arrival arrival = {
		.bar = bar,
		.offset = at,
		.requester = requester,
		.verdict = TLP_ACCEPTED,
	};

	/* What is malformed is so at the link already, before anybody asks which BAR it is for. */
	if (tlp_is_malformed(&endpoint->knobs, tlp)) {
		arrival.verdict = TLP_MALFORMED;
		endpoint->counters.malformed++;
		config_set16(&endpoint->config, status_at,
			     config_get16(&endpoint->config, status_at) | PCI_EXP_DEVSTA_FED);
	} else if (!bars_decoded(endpoint)) {
		arrival.verdict = TLP_UNSUPPORTED;
	} else {
		arrival.use = tlp_hint_use(&endpoint->knobs, tlp);
	}
	endpoint->counters.received++;
	tlp_received_trace(&endpoint->received, tlp, &arrival);
	tlp_received_log(endpoint->log, &endpoint->knobs, tlp, &arrival);
	if (arrival.verdict != TLP_ACCEPTED)
		return false;
	if (tlp->type == TLP_MEMORY_WRITE)
		receive_write(endpoint, bar, at, data, tlp->length);
	return true;
}

#define MAPS_AT_ONCE 16 /* given back; then it is other functions' and clients' turn */

bool endpoint_work(struct endpoint *endpoint)
{
	bool more = dma_work(endpoint);

	more |= iova_map_reap(&endpoint->map, MAPS_AT_ONCE);
	return queues_work(endpoint) || more;
}

bool endpoint_powered(const struct endpoint *endpoint)
{
	return power_state(endpoint) == PM_D0;
}

bool endpoint_bus_master(const struct endpoint *endpoint)
{
	return config_get16(&endpoint->config, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

static uint16_t device_control(const struct endpoint *endpoint)
{
	return config_get16(&endpoint->config, ENDPOINT_EXPRESS_AT + PCI_EXP_DEVCTL);
}

uint32_t endpoint_payload_size(const struct endpoint *endpoint)
{
	unsigned int size = (device_control(endpoint) & PCI_EXP_DEVCTL_PAYLOAD) >> 5;

	return 128u << (size < PAYLOAD_SUPPORTED ? size : PAYLOAD_SUPPORTED);
}

uint32_t endpoint_read_request_size(const struct endpoint *endpoint)
{
	unsigned int size = (device_control(endpoint) & PCI_EXP_DEVCTL_READRQ) >> 12;

	return 128u << (size < READ_REQUEST_LARGEST ? size : READ_REQUEST_LARGEST);
}

void endpoint_master_abort(struct endpoint *endpoint)
{
	config_set16(&endpoint->config, PCI_STATUS,
		     config_get16(&endpoint->config, PCI_STATUS) | PCI_STATUS_REC_MASTER_ABORT);
}

void endpoint_error(struct endpoint *endpoint, uint32_t correctable, uint32_t uncorrectable)
{
	const size_t status = ENDPOINT_EXPRESS_AT + PCI_EXP_DEVSTA;
	unsigned int detected;

	if (!endpoint->knobs.aer)
		return;
	detected = aer_detect(&endpoint->config, correctable, uncorrectable);
	config_set16(&endpoint->config, status,
		     (uint16_t)(config_get16(&endpoint->config, status) | detected));
}

static bool interrupts_open(const struct endpoint *endpoint)
{
	uint16_t flags;

	if (!endpoint->knobs.vectors)
		return false;
	flags = config_get16(&endpoint->config, ENDPOINT_MSIX_AT + PCI_MSIX_FLAGS);
	return flags & PCI_MSIX_FLAGS_ENABLE && !(flags & PCI_MSIX_FLAGS_MASKALL) &&
	       endpoint_bus_master(endpoint) && endpoint_powered(endpoint);
}

void endpoint_interrupts_flush(struct endpoint *endpoint)
{
	int vector;

	if (!interrupts_open(endpoint))
		return;
	while ((vector = msix_send_next(&endpoint->msix)) >= 0) {
		struct json_object *line =
			log_event(endpoint->log, "interrupt", endpoint->knobs.name);

		log_number(line, "vector", (uint64_t)vector);
		log_write(endpoint->log, line);
		endpoint->counters.interrupts++;
	}
}

void endpoint_interrupt(struct endpoint *endpoint, unsigned int vector)
{
	uint16_t flags = config_get16(&endpoint->config, ENDPOINT_MSIX_AT + PCI_MSIX_FLAGS);

	/* A disabled MSI-X neither sends nor remembers (7.7.2.2). */
	if (!(flags & PCI_MSIX_FLAGS_ENABLE))
		return;
	msix_trigger(&endpoint->msix, vector);
	endpoint_interrupts_flush(endpoint);
}
