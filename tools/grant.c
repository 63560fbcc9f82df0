// SPDX-License-Identifier: GPL-2.0-only
/* tphctl grant: which CPUs a device may target, and how; whether tags into it may be published. */
#include <stdio.h>
#include <string.h>

#include "operator.h"
#include "tphctl.h"

static void print_publishing(const struct operator_view *before, const struct operator_view *after)
{
	say("publishing %s", operator_publishing(after->publish));
	if (strcmp(before->publish, after->publish))
		say(" (before: %s)", operator_publishing(before->publish));
}

static void print_change(const char *address, const struct terms *terms,
			 const struct operator_view *before, const struct operator_view *after)
{
	say("%s: ", address);
	if (!terms->policy && !terms->has_cpus) {
		print_publishing(before, after);
		putchar('\n');
		return;
	}
	say("policy %s", after->policy);
	if (strcmp(before->policy, after->policy))
		say(" (before: %s)", before->policy);
	say(", CPUs %s", operator_cpus(after->cpus));
	if (strcmp(before->cpus, after->cpus))
		say(" (before: %s)", operator_cpus(before->cpus));
	if (terms->publish) {
		say(", ");
		print_publishing(before, after);
	}
	if (after->revocations == before->revocations)
		say("; nothing was taken back\n");
	else
		say("; %llu entries taken back, CPUs targeted now: %s\n",
		       after->revocations - before->revocations, operator_cpus(after->targets));
}

int grant_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct operator_view before, after;
	struct terms terms;
	char name[32];
	int code, fd;

	if (!device_name_parse(invocation->operand[0], name, sizeof(name), &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(name));
	code = terms_parse(ctl, invocation, &terms);
	if (!code && !terms_given(&terms))
		code = fail(ctl, TPHCTL_USAGE, "command", "grant",
			    "give --cpus LIST, --policy POLICY or --publish on|off", "it does not say what to grant");
	if (!code)
		code = terms_apply(ctl, name, &terms, &before, &after);
	if (code)
		return code;
	answer_add(ctl, "operator_before", operator_json(&before));
	answer_add(ctl, "operator", operator_json(&after));
	answer_add(ctl, "taken_back", json_object_new_int64(
			   (int64_t)(after.revocations - before.revocations)));
	if (!ctl->json)
		print_change(name, &terms, &before, &after);
	return TPHCTL_OK;
}
