// SPDX-License-Identifier: GPL-2.0-only
/*
 * tphctl why: the chain from firmware to the first steered request: what the machine has, then what
 * its operator decides, then what a user does. So the first that is broken is what to mend first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inquiry.h"

static const char *const verdicts[] = { "ok", "broken", "unknown" };

static const struct {
	const char *name;
	void (*ask)(const struct inquiry *inquiry, struct condition *condition);
} questions[] = {
	{ "device", ask_device },
	{ "configuration space", ask_space },
	{ "capability", ask_capability },
	{ "modes", ask_modes },
	{ "completer", ask_completer },
	{ "kernel options", ask_kernel_options },
	{ "kernel", ask_kernel },
	{ "IOMMU", ask_iommu },
	{ "interrupts", ask_interrupts },
	{ "signatures", ask_signatures },
	{ "module", ask_module },
	{ "driver", ask_driver },
	{ "way in", ask_way },
	{ "firmware", ask_firmware },
	{ "policy", ask_policy },
	{ "neighbours", ask_neighbours },
	{ "CPUs", ask_cpus },
	{ "caller's CPUs", ask_caller },
	{ "group", ask_group },
	{ "user", ask_user },
	{ "address space", ask_attached },
	{ "table", ask_table },
	{ "requester", ask_requester },
};

#define QUESTIONS	(sizeof(questions) / sizeof(*questions))

static void print_condition(const struct condition *condition, bool first_broken)
{
	say("%s %-8s %-20s %s\n", first_broken ? "=>" : "  ", verdicts[condition->verdict],
	       condition->name, condition->text);
	if (first_broken)
		say("   %-8s %-20s %s\n", "", "", condition->remedy);
}

static struct json_object *condition_json(const struct condition *condition)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(condition->name));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdicts[condition->verdict]));
	json_object_object_add(object, "text", json_object_new_string(condition->text));
	json_object_object_add(object, "remedy", json_text(condition->remedy[0] ?
							   condition->remedy : NULL));
	return object;
}

/* The first that is broken, else the first that is not known, else none. */
static const struct condition *find_first(const struct condition *conditions)
{
	for (int verdict = BROKEN; verdict <= UNKNOWN; verdict++)
		for (size_t i = 0; i < QUESTIONS; i++)
			if ((int)conditions[i].verdict == verdict)
				return &conditions[i];
	return NULL;
}

static int tell(struct tphctl *ctl, const char *address, const struct condition *conditions)
{
	const struct condition *first = find_first(conditions);
	struct json_object *list = json_object_new_array();
	bool broken = first && first->verdict == BROKEN;

	for (size_t i = 0; i < QUESTIONS; i++) {
		json_object_array_add(list, condition_json(&conditions[i]));
		if (!ctl->json)
			print_condition(&conditions[i], broken && first == &conditions[i]);
	}
	answer_add(ctl, "conditions", list);
	answer_add(ctl, "broken", json_text(broken ? first->name : NULL));
	if (!first)
		return TPHCTL_OK;
	return fail(ctl, first->code, "device", address, first->remedy, "%s%s: %s", first->name,
		    broken ? "" : " not known", first->text);
}

int why_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct condition *conditions;
	struct inquiry *inquiry;
	char name[32];
	int code, error, fd;

	if (!device_name_parse(invocation->operand[0], name, sizeof(name), &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(name));
	inquiry = calloc(1, sizeof(*inquiry));
	conditions = calloc(QUESTIONS, sizeof(*conditions));
	error = inquiry && conditions ? function_read(ctl->sysfs, name, &inquiry->function) :
		-ENOMEM;
	if (error) {
		code = function_failure(ctl, name, error);
		goto out;
	}
	inquiry->ctl = ctl;
	inquire(inquiry);
	for (size_t i = 0; i < QUESTIONS; i++) {
		conditions[i].name = questions[i].name;
		questions[i].ask(inquiry, &conditions[i]);
	}
	code = tell(ctl, name, conditions);
out:
	free(conditions);
	if (inquiry)
		tph_group_free(inquiry->group);
	free(inquiry);
	return code;
}
