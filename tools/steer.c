// SPDX-License-Identifier: GPL-2.0-only
/* tphctl set, clear, enable, disable. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operand.h"
#include "operator.h"
#include "sysfs.h"
#include "tphctl.h"

/* a run of entries that go to the kernel in one request */
struct run {
	uint32_t first, count;
};

/* One command on one device by address proves that it works, and no more. */
static void tell_end(struct tphctl *ctl, const struct handle *handle)
{
	if (!ctl->batch && (tph_iommu_fd(handle->device) >= 0 ||
			    tph_container_fd(handle->device) >= 0))
		note(ctl, "steering of %s ends when tphctl closes it; keep it with -b",
		     handle->name);
}

/* A device that others have open stays so; but entries are a lease of the process that sets them. */
static void tell_end_of_entries(struct tphctl *ctl, const struct handle *handle)
{
	if (!ctl->batch && tph_iommu_fd(handle->device) < 0 && tph_container_fd(handle->device) < 0)
		note(ctl, "what was set of %s ends with tphctl; keep it with -b", handle->name);
	else
		tell_end(ctl, handle);
}

/* Whether the kernel says that the CPU is offline; one that cannot be has no such file. */
static bool is_offline(const struct tphctl *ctl, uint32_t cpu)
{
	char path[256], text[16];

	snprintf(path, sizeof(path), "%.200s/devices/system/cpu/cpu%u/online", ctl->sysfs, cpu);
	return !sysfs_read_text(path, text, sizeof(text)) && !strcmp(text, "0");
}

/* Whether affinity and cpuset let this process, which has one thread, run there. */
static bool may_run_on(uint32_t cpu)
{
	struct cpu_list own;

	return cpu_list_affinity(&own) || cpu_list_has(&own, cpu);
}

/* Why these CPUs may not be targeted, as far as can be told from here. */
static int cpu_not_granted(struct tphctl *ctl, const struct handle *handle, const char *value,
			   const struct run *run, const uint32_t *cpus)
{
	char address[TPH_ADDRESS_SIZE], remedy[128], item[64];
	struct operator_view view;
	struct cpu_list granted;
	bool known;

	known = handle_address(ctl, handle->name, address) &&
		!operator_read(ctl->sysfs, address, &view) &&
		!cpu_list_parse(view.cpus, &granted, item, sizeof(item));
	if (known && !strcmp(view.steering, "not-attached"))
		return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value,
			    "let the caller attach it to an IOAS, or its group to a container",
			    "%s is not attached to an I/O address space", handle->name);

	for (uint32_t i = 0; cpus && i < run->count; i++) {
		if (cpus[i] == TPH_CPU_NONE)
			continue;
		if (is_offline(ctl, cpus[i])) {
			snprintf(remedy, sizeof(remedy),
				 "echo 1 > %.64s/devices/system/cpu/cpu%u/online", ctl->sysfs,
				 cpus[i]);
			return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value, remedy,
				    "CPU %u is offline", cpus[i]);
		}
		if (!may_run_on(cpus[i]))
			return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value,
				    "widen affinity (taskset) or cpuset",
				    "this process may not run on CPU %u, and so not steer to it",
				    cpus[i]);
		if (known && !cpu_list_has(&granted, cpus[i])) {
			snprintf(remedy, sizeof(remedy), "the operator can: tphctl grant %s --cpus",
				 address);
			return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value, remedy,
				    "the operator does not grant CPU %u, but CPUs %s", cpus[i],
				    operator_cpus(view.cpus));
		}
	}
	return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value, "ask the operator of this machine",
		    "the operator does not grant %s", run->count > 1 ? "one of these CPUs" :
		    "this CPU");
}

static void highest_cpu(const struct tphctl *ctl, char *text, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%.200s/devices/system/cpu/present", ctl->sysfs);
	if (sysfs_read_text(path, text, size))
		snprintf(text, size, "those that are present");
}

/* Why a request on entries came to nothing. */
static int entry_failure(struct tphctl *ctl, const struct handle *handle, const struct run *run,
			 const uint32_t *cpus, int error)
{
	struct tph_state state = { 0 };
	char value[128], cpu[64] = "one of these CPUs", present[64], remedy[160];
	uint32_t highest = 0;
	bool one_cpu = cpus;

	for (uint32_t i = 0; cpus && i < run->count; i++) {
		one_cpu = one_cpu && cpus[i] == cpus[0];
		if (cpus[i] != TPH_CPU_NONE && cpus[i] > highest)
			highest = cpus[i];
	}
	if (one_cpu)
		snprintf(cpu, sizeof(cpu), "CPU %u", highest);
	if (run->count == 1)
		snprintf(value, sizeof(value), "%u of %s", run->first, handle->name);
	else
		snprintf(value, sizeof(value), "%u-%u of %s", run->first,
			 run->first + run->count - 1, handle->name);
	switch (-error) {
	case ENOTTY:
		snprintf(remedy, sizeof(remedy), "tphctl bind %s", handle->name);
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", handle->name, remedy,
			    "its driver does not speak TPH");
	case EINVAL:
		if (!tph_read_state(handle->device, &state) && state.entries &&
		    run->first + run->count > state.entries)
			return fail(ctl, TPHCTL_FAILED, "entry", value, "see tphctl show",
				    "the device has %u, 0 to %u", state.entries, state.entries - 1);
		highest_cpu(ctl, present, sizeof(present));
		snprintf(remedy, sizeof(remedy), "CPUs are %s", present);
		return fail(ctl, TPHCTL_FAILED, "entry", value, remedy,
			    "CPU %u does not exist in this machine", highest);
	case EPERM:
		if (tph_probe(handle->device) == -EPERM)
			return fail(ctl, TPHCTL_NOT_PERMITTED, "entry", value,
				    "ask the operator for policy iv-st or ds-st",
				    "the operator's policy does not allow steering on this device");
		return cpu_not_granted(ctl, handle, value, run, cpus);
	case EUSERS:
		return fail(ctl, TPHCTL_FAILED, "entry", value, "let one of them clear its entries",
			    "too many other processes hold entries of the device");
	case EOPNOTSUPP:
		if (tph_probe(handle->device) == -EOPNOTSUPP)
			return fail(ctl, TPHCTL_UNSUPPORTED, "entry", value, "see tphctl show",
				    "device, root port or firmware cannot steer");
		return fail(ctl, TPHCTL_UNSUPPORTED, "entry", value, "try another CPU",
			    "firmware has no valid steering tag for %s", cpu);
	case ENODEV:
		return fail(ctl, TPHCTL_FAILED, "entry", value, "look at dmesg",
			    "firmware does not know the device, or %s", cpu);
	case EIO:
		return fail(ctl, TPHCTL_FAILED, "entry", value, "look at dmesg",
			    "firmware's answer is malformed, or the device does not answer");
	default:
		return fail(ctl, exit_code_of(error), "entry", value, "", "%s", strerror(-error));
	}
}

static void add_entries(struct tphctl *ctl, const struct run *run, const uint32_t *cpus)
{
	struct json_object *entries, *object;

	if (!json_object_object_get_ex(ctl->answer, "entries", &entries)) {
		entries = json_object_new_array();
		answer_add(ctl, "entries", entries);
	}
	for (uint32_t i = 0; i < run->count; i++) {
		object = json_object_new_object();
		json_object_object_add(object, "index", json_object_new_int64(run->first + i));
		json_object_object_add(object, "cpu", cpus[i] == TPH_CPU_NONE ? NULL :
				       json_object_new_int64(cpus[i]));
		json_object_array_add(entries, object);
	}
}

/* The next run of named entries from @run->first on. */
static bool next_run(const struct assignment *assignment, struct run *run)
{
	uint32_t first = run->first + run->count, end;

	while (first < TPH_ENTRIES_MAX && !assignment->named[first])
		first++;
	for (end = first; end < TPH_ENTRIES_MAX && assignment->named[end]; end++)
		;
	run->first = first;
	run->count = end - first;
	return run->count;
}

static int set_runs(struct tphctl *ctl, const struct handle *handle, enum tph_memory memory,
		    const struct assignment *assignment)
{
	struct run run = { 0, 0 };
	bool set = false;
	uint32_t last = 0;
	int code;

	while (next_run(assignment, &run)) {
		const uint32_t *cpus = assignment->cpu + run.first;
		int error = tph_set(handle->device, memory, run.first, run.count, cpus);

		if (error) {
			code = entry_failure(ctl, handle, &run, cpus, error);
			if (set)
				add_reason(ctl, "; entries up to %u are set", last);
			return code;
		}
		add_entries(ctl, &run, cpus);
		last = run.first + run.count - 1;
		set = true;
	}
	return TPHCTL_OK;
}

int set_run(struct tphctl *ctl, const struct invocation *invocation)
{
	bool persistent = invocation->given & 1u << OPTION_PM;
	struct assignment *assignment;
	struct handle *handle;
	const char *wrong;
	char item[64];
	int code;

	assignment = malloc(sizeof(*assignment));
	if (!assignment)
		return fail(ctl, TPHCTL_FAILED, "command", "set", "", "%s", strerror(ENOMEM));
	wrong = assignment_parse(invocation->operand[1], assignment, item, sizeof(item));
	if (wrong) {
		code = fail(ctl, TPHCTL_USAGE, "entry", item, "write it as 3=5, 0-7=5 or 3=none",
			    "%s", wrong);
		goto out;
	}
	code = handle_open(ctl, invocation->operand[0], &handle);
	if (code)
		goto out;
	answer_add(ctl, "memory", json_object_new_string(persistent ? "persistent" : "volatile"));
	code = set_runs(ctl, handle, persistent ? TPH_MEMORY_PERSISTENT : TPH_MEMORY_VOLATILE,
			assignment);
	if (!code)
		tell_end_of_entries(ctl, handle);
out:
	free(assignment);
	return code;
}

int clear_run(struct tphctl *ctl, const struct invocation *invocation)
{
	const char *range = invocation->operand[1];
	bool all = !strcmp(range, "all");
	uint32_t first = 0, last = 0;
	struct tph_state state;
	struct handle *handle;
	struct run run;
	int code, error;

	if (!all && !range_parse(range, &first, &last))
		return fail(ctl, TPHCTL_USAGE, "entry", range, "write it as 3, 0-7 or all",
			    "it is not a number from 0 to 2047, nor a rising range of such");
	code = handle_open(ctl, invocation->operand[0], &handle);
	if (code)
		return code;
	run = (struct run){ first, last - first + 1 };
	error = tph_probe(handle->device);
	if (error)
		return entry_failure(ctl, handle, &run, NULL, error);
	if (all) {
		error = tph_read_state(handle->device, &state);
		run.count = error ? 1 : state.entries;
		if (!error && !state.entries)
			error = -EOPNOTSUPP;
	}
	if (!error)
		error = tph_clear(handle->device, run.first, run.count);
	if (error)
		return entry_failure(ctl, handle, &run, NULL, error);
	answer_add(ctl, "first", json_object_new_int64(run.first));
	answer_add(ctl, "count", json_object_new_int64(run.count));
	tell_end(ctl, handle);
	return TPHCTL_OK;
}

/* Mode and width as given, in either order, each at most once. */
static int parse_enable(struct tphctl *ctl, const struct invocation *invocation, int *mode,
			enum tph_width *width)
{
	bool has_width = false;

	*mode = -1;
	*width = TPH_WIDTH_WIDEST;
	for (unsigned int i = 1; i < invocation->operands; i++) {
		const char *word = invocation->operand[i];
		enum tph_mode given;

		if (*mode < 0 && mode_parse(word, &given)) {
			*mode = (int)given;
			continue;
		}
		if (!has_width && width_parse(word, width)) {
			has_width = true;
			continue;
		}
		return fail(ctl, TPHCTL_USAGE, "argument", word,
			    "give one of no-st, iv, ds and one of 8, 16, widest",
			    "it is neither a mode nor a width, or the second of its kind");
	}
	return TPHCTL_OK;
}

/* With tags where they can be had. */
static enum tph_mode default_mode(uint32_t modes)
{
	if (modes & 1u << TPH_MODE_INTERRUPT_VECTOR)
		return TPH_MODE_INTERRUPT_VECTOR;
	if (modes & 1u << TPH_MODE_DEVICE_SPECIFIC)
		return TPH_MODE_DEVICE_SPECIFIC;
	return TPH_MODE_NO_ST;
}

static int enable_failure(struct tphctl *ctl, const struct handle *handle,
			  const struct tph_state *state, enum tph_mode mode, enum tph_width width,
			  int error)
{
	char remedy[160];

	switch (-error) {
	case ENOTTY:
		snprintf(remedy, sizeof(remedy), "tphctl bind %s", handle->name);
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", handle->name, remedy,
			    "its driver does not speak TPH");
	case EOPNOTSUPP:
		snprintf(remedy, sizeof(remedy), "see tphctl show %s", handle->name);
		if (!state)
			return fail(ctl, TPHCTL_UNSUPPORTED, "device", handle->name, remedy,
				    "it offers no TPH Requester capability");
		if (!(state->modes & 1u << mode))
			return fail(ctl, TPHCTL_UNSUPPORTED, "mode", mode_name(mode), remedy,
				    "%s does not offer it", handle->name);
		return fail(ctl, TPHCTL_UNSUPPORTED, "width", width == TPH_WIDTH_16 ? "16" : "8",
			    "use 8 or widest", "%s, or the way to the CPUs, has no such tags",
			    handle->name);
	case EIO:
		return fail(ctl, TPHCTL_FAILED, "device", handle->name,
			    "try the other width, or see dmesg; it is off now",
			    "it did not go into %s mode: an entry has no tag of that width, or the "
			    "device does not answer", mode_title(mode));
	default:
		return fail(ctl, exit_code_of(error), "device", handle->name, "", "%s",
			    strerror(-error));
	}
}

int enable_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct tph_state state;
	struct handle *handle;
	enum tph_width width;
	enum tph_mode mode = TPH_MODE_NO_ST;
	int given, code, error;

	code = parse_enable(ctl, invocation, &given, &width);
	if (!code)
		code = handle_open(ctl, invocation->operand[0], &handle);
	if (code)
		return code;
	if (tph_probe(handle->device) == -ENOTTY)
		return enable_failure(ctl, handle, NULL, mode, width, -ENOTTY);
	error = tph_read_state(handle->device, &state);
	if (error)
		return enable_failure(ctl, handle, NULL, mode, width, error);
	mode = given < 0 ? default_mode(state.modes) : (enum tph_mode)given;
	error = tph_enable(handle->device, mode, width);
	if (error)
		return enable_failure(ctl, handle, &state, mode, width, error);
	error = tph_read_state(handle->device, &state);
	if (error)
		return enable_failure(ctl, handle, NULL, mode, width, error);
	answer_add(ctl, "mode", json_text(mode_name(state.mode)));
	answer_add(ctl, "width", json_object_new_int((int)state.width));
	if (!ctl->json)
		say("%s: %s mode, %d-bit tags\n", handle->name, mode_title(state.mode),
		       (int)state.width);
	tell_end(ctl, handle);
	return TPHCTL_OK;
}

int disable_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct handle *handle;
	int code, error;

	code = handle_open(ctl, invocation->operand[0], &handle);
	if (code)
		return code;
	error = tph_disable(handle->device);
	if (error)
		return fail(ctl, exit_code_of(error), "device", handle->name, "look at dmesg",
			    "it does not answer; whether it still sends hints is not known");
	tell_end(ctl, handle);
	return TPHCTL_OK;
}
