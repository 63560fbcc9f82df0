// SPDX-License-Identifier: GPL-2.0-only
/* tphctl dmabufs: the tags with which peers should write to the dma-bufs of a device. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "operator.h"
#include "sysfs.h"
#include "tphctl.h"
#include "view.h"

#define DEBUGFS	"kernel/debug"
#define FOLDER	DEBUGFS "/tph-vfio-pci"

/* struct published - a dma-buf and its tags; a tag of -1 is not valid */
struct published {
	uint64_t inode, size;
	int tag8, tag16;
	unsigned int hint;
};

/* struct published_list - those of a device, by inode */
struct published_list {
	struct published *items;
	size_t count;
};

static const char *const hints[] = {
	[TPH_HINT_BIDIRECTIONAL] = "bidirectional",
	[TPH_HINT_REQUESTER] = "requester",
	[TPH_HINT_TARGET] = "target",
	[TPH_HINT_TARGET_PRIORITY] = "target-priority",
};

/* @text is a number of at most @most and nothing else. */
static bool parse_number(const char *text, int base, uint64_t most, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, base);
	return !errno && !*end && *number <= most;
}

/* A line of the driver's list: INODE size=N [st=0xNN] [xst=0xNNNN] ph=N. Cuts it to pieces. */
static bool parse_line(char *line, struct published *published)
{
	bool sized = false, hinted = false;
	char *word, *value, *rest = NULL;
	uint64_t number;

	published->tag8 = published->tag16 = -1;
	word = strtok_r(line, " ", &rest);
	if (!word || !parse_number(word, 10, INT64_MAX, &published->inode))
		return false;
	while ((word = strtok_r(NULL, " ", &rest))) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = '\0';
		if (!strcmp(word, "size") && parse_number(value, 10, INT64_MAX, &number)) {
			published->size = number;
			sized = true;
		} else if (!strcmp(word, "st") && parse_number(value, 16, UINT8_MAX, &number)) {
			published->tag8 = (int)number;
		} else if (!strcmp(word, "xst") && parse_number(value, 16, UINT16_MAX, &number)) {
			published->tag16 = (int)number;
		} else if (!strcmp(word, "ph") &&
			   parse_number(value, 10, TPH_HINT_TARGET_PRIORITY, &number)) {
			published->hint = (unsigned int)number;
			hinted = true;
		} else {
			return false;
		}
	}
	return sized && hinted;
}

static int list_failure(struct tphctl *ctl, const char *address, const char *path, int error)
{
	char folder[PATH_MAX], remedy[PATH_MAX + 64];

	switch (-error) {
	case EACCES:
	case EPERM:
		return fail(ctl, TPHCTL_NOT_PERMITTED, "file", path, "run as root",
			    "the list of dma-bufs may not be read by this user");
	case ENOENT:
		snprintf(folder, sizeof(folder), "%s/" FOLDER, ctl->sysfs);
		if (sysfs_find(folder)) {
			snprintf(remedy, sizeof(remedy), "mount -t debugfs none %s/" DEBUGFS,
				 ctl->sysfs);
			return fail(ctl, TPHCTL_FAILED, "folder", folder, remedy,
				    "there is none: debugfs is not mounted");
		}
		break;
	case EIO:	/* read after the device was closed */
		break;
	default:
		return fail(ctl, TPHCTL_FAILED, "file", path, "look at dmesg",
			    "the list of dma-bufs cannot be read: %s", strerror(-error));
	}
	return fail(ctl, TPHCTL_FAILED, "device", address, "start what uses it",
		    "it is not open, and tags last for as long as it is");
}

static int add(struct published_list *list, const struct published *published)
{
	struct published *grown = realloc(list->items, (list->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->items = grown;
	list->items[list->count++] = *published;
	return 0;
}

static int by_inode(const void *left, const void *right)
{
	const struct published *l = left, *r = right;

	return l->inode < r->inode ? -1 : l->inode > r->inode;
}

/* The kernel makes the whole list at the first read, so it is one state of the device. */
static int read_list(struct tphctl *ctl, const char *address, struct published_list *list)
{
	char path[PATH_MAX], line[256], copy[256];
	struct published published;
	int fd, error = 0;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/" FOLDER "/%s", ctl->sysfs, address) >=
	    (int)sizeof(path))
		return list_failure(ctl, address, path, -ENAMETOOLONG);
	fd = ctl->foreign_sysfs ? sysfs_open(path, 0) : attribute_open(path);
	if (fd < 0)
		return list_failure(ctl, address, path, fd);
	file = fdopen(fd, "r");
	if (!file) {
		error = -errno;
		close(fd);
		return list_failure(ctl, address, path, error);
	}
	while (!error && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		memcpy(copy, line, sizeof(copy));
		memset(&published, 0, sizeof(published));
		if (!parse_line(copy, &published)) {
			fclose(file);
			return fail(ctl, TPHCTL_FAILED, "file", path,
				    "use the tphctl that belongs to the driver",
				    "its line \"%s\" makes no sense", line);
		}
		error = add(list, &published);
	}
	if (!error && ferror(file))
		error = -errno;
	fclose(file);
	if (error)
		return list_failure(ctl, address, path, error);
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), by_inode);
	return TPHCTL_OK;
}

static void print_function(const struct pci_function *function, const char *completer,
			   const char *publish)
{
	char name[256];

	say("%s %s\n", function->address, function_name(function, name, sizeof(name)));
	say("  %-16s %s\n", "completer", completer);
	say("  %-16s %s", "publishing", operator_publishing(publish));
	if (!strcmp(publish, "0"))
		say(" by the operator; tphctl grant %s --publish on", function->address);
	putchar('\n');
}

static void print_list(const struct published_list *list)
{
	if (!list->count) {
		say("  %-16s none has tags\n", "dma-bufs");
		return;
	}
	say("  dma-bufs\n");
	for (size_t i = 0; i < list->count; i++) {
		const struct published *published = &list->items[i];

		say("    inode %-8" PRIu64 " %" PRIu64 " bytes", published->inode,
		       published->size);
		if (published->tag8 >= 0)
			say("  8-bit tag 0x%02x", (unsigned int)published->tag8);
		if (published->tag16 >= 0)
			say("  16-bit tag 0x%04x", (unsigned int)published->tag16);
		say("  hint %s\n", hints[published->hint]);
	}
}

static struct json_object *tag_json(int tag)
{
	return tag < 0 ? NULL : json_object_new_int(tag);
}

static struct json_object *list_json(const struct published_list *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct published *published = &list->items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "inode",
				       json_object_new_int64((int64_t)published->inode));
		json_object_object_add(object, "size",
				       json_object_new_int64((int64_t)published->size));
		json_object_object_add(object, "tag8", tag_json(published->tag8));
		json_object_object_add(object, "tag16", tag_json(published->tag16));
		json_object_object_add(object, "hint",
				       json_object_new_string(hints[published->hint]));
		json_object_array_add(array, object);
	}
	return array;
}

/* What the function takes, and whether the operator lets it. */
static int describe(struct tphctl *ctl, const char *address)
{
	struct pci_function function;
	struct operator_view view;
	struct tph_port port;
	int error, hidden;

	error = function_read(ctl->sysfs, address, &function);
	if (error)
		return function_failure(ctl, address, error);
	hidden = function_port(&function, &port);
	answer_add(ctl, "completer", hidden == -EOPNOTSUPP ? view_width_json(TPH_WIDTH_OFF) :
		   hidden ? NULL : view_width_json(port.completer));
	error = operator_read(ctl->sysfs, address, &view);
	if (error && error != -ENOENT)
		return operator_failure(ctl, address, error);
	if (!*view.publish)
		return publish_failure(ctl, address);
	answer_add(ctl, "publish", json_object_new_boolean(strcmp(view.publish, "0")));
	if (!ctl->json)
		print_function(&function, hidden ? "yes; its width is hidden: run as root" :
			       view_completer(port.completer), view.publish);
	return TPHCTL_OK;
}

int dmabufs_run(struct tphctl *ctl, const struct invocation *invocation)
{
	struct published_list list = { 0 };
	char name[32];
	int code, fd;

	if (!device_name_parse(invocation->operand[0], name, sizeof(name), &fd) || fd >= 0)
		return fail(ctl, TPHCTL_USAGE, "device", invocation->operand[0],
			    "give it as 0000:01:00.0", "this is not a PCI address");
	answer_add(ctl, "device", json_object_new_string(name));
	code = describe(ctl, name);
	if (!code)
		code = read_list(ctl, name, &list);
	if (!code) {
		answer_add(ctl, "dmabufs", list_json(&list));
		if (!ctl->json)
			print_list(&list);
	}
	free(list.items);
	return code;
}
