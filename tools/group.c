// SPDX-License-Identifier: GPL-2.0-only
/* tphctl group: who shares an IOMMU group with a device, why, and what that means for its user. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inquiry.h"

#define ADDRESS_FORMAT	"%02x:%02x.%x"

static const char *error_name(int error)
{
	switch (-error) {
	case 0:
		return "success";
	case EPERM:
		return "EPERM";
	case EINVAL:
		return "EINVAL";
	case EBUSY:
		return "EBUSY";
	case ENODEV:
		return "ENODEV";
	case ENOENT:
		return "ENOENT";
	default:
		return strerror(-error);
	}
}

static const char *dma_text(enum tph_dma dma)
{
	static const char *const texts[] = {
		[TPH_DMA_BLOCKED] = "blocked",
		[TPH_DMA_HOST_MAPPED] = "what the host has mapped for the group",
		[TPH_DMA_HOST_ALL] = "all of the host's memory",
		[TPH_DMA_SPACE] = "an address space of the user",
		[TPH_DMA_UNKNOWN] = "unknown",
	};

	return texts[dma];
}

static const char *cause_text(enum tph_cause_kind kind)
{
	static const char *const texts[] = {
		[TPH_CAUSE_ALONE] = "alone",
		[TPH_CAUSE_FUNCTIONS] = "functions",
		[TPH_CAUSE_PORT] = "port",
		[TPH_CAUSE_BRIDGE] = "bridge",
		[TPH_CAUSE_QUIRK] = "quirk",
	};

	return texts[kind];
}

/**
 * struct picture - a group, and what is foreseen
 * @address: of the device that was asked for
 * @call: how a user takes the group, see taking_call()
 * @now: the kernel's answer to that, as things are
 * @later: the same after tphctl bind
 * @rebound: they differ, for the device has no VFIO driver
 */
struct picture {
	char address[32];
	struct tph_group *group;
	struct tph_group_facts facts;
	const char *call;
	struct tph_group_answer now, later;
	bool rebound;
};

static void print_answer(const char *when, const struct tph_group_answer *answer)
{
	say("  %-14s %s%s: %s\n", when, error_name(answer->error),
	       answer->certain ? "" : ", perhaps", answer->because);
}

/* width of the column of addresses: not all are of PCI functions in domain 0000 */
static int address_width(const struct picture *picture)
{
	struct tph_group_member member;
	int width = (int)strlen("0000:00:00.0");

	for (size_t i = 0; !tph_group_member(picture->group, i, &member); i++)
		if ((int)strlen(member.address) > width)
			width = (int)strlen(member.address);
	return width;
}

static void print_member(const struct tph_group_member *member, int width, size_t index,
			 size_t fault)
{
	bool blamed = member->beside == TPH_NO || index == fault;

	say("%s %-*s  %-14s %-9s  %s", blamed ? "=>" : "  ", width, member->address,
	       member->driver[0] ? member->driver : "-", member->beside == TPH_YES ? "may stay" :
	       member->beside == TPH_NO ? "must go" : "unknown", member->because);
	if (member->alias != member->requester)
		say("; its requests come as " ADDRESS_FORMAT, member->alias >> 8,
		       member->alias >> 3 & 0x1f, member->alias & 7);
	say("\n");
}

static void print_group(const struct picture *picture)
{
	const struct tph_group_facts *facts = &picture->facts;
	struct tph_group_member member;
	struct tph_group_cause cause;
	int width = address_width(picture);

	if (facts->number < 0)
		say("%s: in no IOMMU group\n", picture->address);
	else
		say("%s: IOMMU group %d, %zu member%s%s\n", picture->address,
		       facts->number, facts->members, facts->members == 1 ? "" : "s",
		       facts->noiommu ? ", made up by VFIO (noiommu)" : "");
	print_answer(picture->call, &picture->now);
	if (picture->rebound)
		print_answer("after bind", &picture->later);
	say("  %-14s %s\n", "way in", facts->ways_because);
	say("  %-14s %s\n", "owner", facts->owner);
	say("  %-14s %s%s\n", "default domain", facts->default_domain, facts->direct_region ?
	       "; a region must stay mapped 1:1 (RMRR)" : "");
	say("  %-14s %s\n", "interrupts", facts->interrupts_because);
	for (size_t i = 0; !tph_group_cause(picture->group, i, &cause); i++)
		say("  %-14s %s\n", i ? "" : "one group", cause.because);
	if (!tph_group_member(picture->group, 0, &member))
		say("  %-14s %s: %s\n", "DMA reaches", dma_text(member.dma), member.dma_because);
	say("\n");
	for (size_t i = 0; !tph_group_member(picture->group, i, &member); i++)
		print_member(&member, width, i, picture->rebound ? picture->later.fault :
			     picture->now.fault);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_text(text && *text ? text : NULL));
}

static struct json_object *known_json(enum tph_known known)
{
	return known == TPH_UNKNOWN ? NULL : json_object_new_boolean(known == TPH_YES);
}

static struct json_object *requester_json(uint16_t id)
{
	char text[16];

	snprintf(text, sizeof(text), ADDRESS_FORMAT, id >> 8, id >> 3 & 0x1f, id & 7);
	return json_object_new_string(text);
}

static struct json_object *answer_json(const struct picture *picture,
				       const struct tph_group_answer *answer)
{
	struct json_object *object = json_object_new_object();
	struct tph_group_member member = { 0 };

	if (answer->fault != TPH_GROUP_NOBODY)
		tph_group_member(picture->group, answer->fault, &member);
	add_text(object, "error", answer->error ? error_name(answer->error) : NULL);
	json_object_object_add(object, "certain", json_object_new_boolean(answer->certain));
	add_text(object, "fault", member.address);
	add_text(object, "because", answer->because);
	add_text(object, "decided_by", answer->decided_by);
	return object;
}

static struct json_object *member_json(const struct tph_group_member *member)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "device", member->address);
	add_text(object, "driver", member->driver);
	json_object_object_add(object, "beside_user", known_json(member->beside));
	add_text(object, "because", member->because);
	json_object_object_add(object, "requester", requester_json(member->requester));
	json_object_object_add(object, "alias", requester_json(member->alias));
	json_object_object_add(object, "open", json_object_new_boolean(member->open != 0));
	add_text(object, "dma", dma_text(member->dma));
	add_text(object, "dma_because", member->dma_because);
	return object;
}

static void add_group(struct tphctl *ctl, const struct picture *picture)
{
	const struct tph_group_facts *facts = &picture->facts;
	struct json_object *members = json_object_new_array(), *causes = json_object_new_array();
	struct json_object *interrupts = json_object_new_object(), *object;
	struct tph_group_member member;
	struct tph_group_cause cause;

	answer_add(ctl, "group", facts->number < 0 ? NULL : json_object_new_int(facts->number));
	answer_add(ctl, "noiommu", json_object_new_boolean(facts->noiommu));
	answer_add(ctl, "call", json_object_new_string(picture->call));
	answer_add(ctl, "bind", answer_json(picture, &picture->now));
	answer_add(ctl, "bind_later", picture->rebound ? answer_json(picture, &picture->later) :
		   NULL);
	answer_add(ctl, "iommufd", known_json(facts->by_iommufd));
	answer_add(ctl, "container", known_json(facts->by_container));
	answer_add(ctl, "ways_because", json_object_new_string(facts->ways_because));
	answer_add(ctl, "owner", json_object_new_string(facts->owner));
	answer_add(ctl, "default_domain", json_object_new_string(facts->default_domain));
	answer_add(ctl, "direct_region", json_object_new_boolean(facts->direct_region));
	json_object_object_add(interrupts, "isolated", known_json(facts->isolated_interrupts));
	add_text(interrupts, "because", facts->interrupts_because);
	json_object_object_add(interrupts, "unsafe_allowed", known_json(facts->unsafe_interrupts));
	answer_add(ctl, "interrupts", interrupts);
	for (size_t i = 0; !tph_group_cause(picture->group, i, &cause); i++) {
		object = json_object_new_object();
		add_text(object, "kind", cause_text(cause.kind));
		add_text(object, "device", cause.device);
		add_text(object, "because", cause.because);
		json_object_array_add(causes, object);
	}
	answer_add(ctl, "causes", causes);
	for (size_t i = 0; !tph_group_member(picture->group, i, &member); i++)
		json_object_array_add(members, member_json(&member));
	answer_add(ctl, "members", members);
}

static int read_picture(const struct tphctl *ctl, struct picture *picture)
{
	struct tph_group *after;
	int error;

	error = tph_group_read(ctl->sysfs, picture->address, &picture->group);
	error = error ? error : tph_group_read(ctl->sysfs, picture->address, &after);
	if (error)
		return error;
	tph_group_describe(picture->group, &picture->facts);
	picture->call = taking_call(picture->group);
	error = foresee_bind(after, picture->address, &picture->rebound, &picture->later);
	tph_group_free(after);
	/* last, for it may take a step */
	return error ? error : foresee_taking(picture->group, picture->address, &picture->now);
}

int group_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct picture picture = { .group = NULL };
	int code = TPHCTL_OK, error, fd;

	if (!device_name_parse(invocation->operand[0], picture.address, sizeof(picture.address),
			       &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(picture.address));
	error = read_picture(ctl, &picture);
	if (error == -ENODEV || error == -ENOENT)
		code = function_failure(ctl, picture.address, error);
	else if (error)
		code = fail(ctl, exit_code_of(error), "device", picture.address,
			    "run as root; is sysfs whole?", "its IOMMU group cannot be read: %s",
			    strerror(-error));
	else if (ctl->json)
		add_group(ctl, &picture);
	else
		print_group(&picture);
	tph_group_free(picture.group);
	return code;
}
