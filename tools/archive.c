// SPDX-License-Identifier: GPL-2.0-only
/* A tar archive: see archive.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"

#define BLOCK	512

/* 2000-01-01: of when it was written nothing needs to be told, and tar(1) doubts a time of 0. */
#define TIME	946684800

/* POSIX.1-2017, pax, "ustar Interchange Format" */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char target[100];
	char magic[6];
	char version[2];
	char user[32];
	char group[32];
	char major[8];
	char minor[8];
	char prefix[155];
	char rest[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static void put(struct archive *archive, const void *data, size_t size)
{
	if (!archive->error && size && fwrite(data, 1, size, archive->file) != size)
		archive->error = errno ? -errno : -EIO;
}

static void put_padded(struct archive *archive, const void *data, size_t size)
{
	static const char zeros[BLOCK];

	put(archive, data, size);
	put(archive, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

/* Names that are too long are cut: a pax header before it has them whole. */
static void put_header(struct archive *archive, const char *name, char type, const char *target,
		       size_t size)
{
	struct header header = { .type = type, .magic = "ustar", .version = { '0', '0' } };
	const unsigned char *byte = (const unsigned char *)&header;
	unsigned int sum = 0;

	memcpy(header.name, name, strnlen(name, sizeof(header.name)));
	memcpy(header.target, target, strnlen(target, sizeof(header.target)));
	snprintf(header.mode, sizeof(header.mode), "%07o", type == '5' ? 0755u : 0644u);
	snprintf(header.uid, sizeof(header.uid), "%07o", 0u);
	snprintf(header.gid, sizeof(header.gid), "%07o", 0u);
	snprintf(header.size, sizeof(header.size), "%011zo", size);
	snprintf(header.mtime, sizeof(header.mtime), "%011o", TIME);
	memset(header.checksum, ' ', sizeof(header.checksum));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += byte[i];
	snprintf(header.checksum, sizeof(header.checksum), "%06o", sum);
	put(archive, &header, sizeof(header));
}

/* A record tells its own length, in digits that count too. */
static size_t pax_record(char *record, size_t room, const char *key, const char *value)
{
	size_t length = strlen(key) + strlen(value) + 3, total = length;

	for (size_t digits = 0; digits != total;) {
		digits = total;
		total = length + (size_t)snprintf(NULL, 0, "%zu", digits);
	}
	snprintf(record, room, "%zu %s=%s\n", total, key, value);
	return total;
}

static bool has(const struct archive *archive, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(archive->names); i++)
		if (!strcmp(json_object_get_string(json_object_array_get_idx(archive->names, i)),
			    name))
			return true;
	return false;
}

/* What is in it already is not put into it again: tar(1) of busybox would stop at a second link. */
static void put_entry(struct archive *archive, const char *name, char type, const char *target,
		      const void *data, size_t size)
{
	char records[2 * PATH_MAX + 64], path[PATH_MAX];
	size_t used = 0;

	if (has(archive, name))
		return;
	if (snprintf(path, sizeof(path), "%s/%s", archive->top, name) >= (int)sizeof(path)) {
		archive->error = archive->error ? archive->error : -ENAMETOOLONG;
		return;
	}
	if (strlen(path) > sizeof(((struct header *)0)->name))
		used += pax_record(records, sizeof(records), "path", path);
	if (strlen(target) > sizeof(((struct header *)0)->target))
		used += pax_record(records + used, sizeof(records) - used, "linkpath", target);
	if (used) {
		put_header(archive, "pax", 'x', "", used);
		put_padded(archive, records, used);
	}
	put_header(archive, path, type, target, size);
	put_padded(archive, data, size);
	json_object_array_add(archive->names, json_object_new_string(name));
}

/**
 * archive_create() - begin one in a file that is not there yet
 *
 * Return: 0 or a negative errno.
 */
int archive_create(struct archive *archive, const char *path, const char *top)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	*archive = (struct archive){ .file = fdopen(fd, "w"), .top = top };
	if (archive->file) {
		archive->names = json_object_new_array();
		return 0;
	}
	close(fd);
	unlink(path);
	return -ENOMEM;
}

void archive_file(struct archive *archive, const char *name, const void *data, size_t size)
{
	put_entry(archive, name, '0', "", data, size);
}

/** archive_text() - a file with one line. */
void archive_text(struct archive *archive, const char *name, const char *text)
{
	char line[PATH_MAX + 1];
	int length = snprintf(line, sizeof(line), "%s\n", text);

	archive_file(archive, name, line, length < (int)sizeof(line) ? (size_t)length :
		     sizeof(line) - 1);
}

void archive_link(struct archive *archive, const char *name, const char *target)
{
	put_entry(archive, name, '2', target, "", 0);
}

void archive_folder(struct archive *archive, const char *name)
{
	put_entry(archive, name, '5', "", "", 0);
}

/** archive_close() - end it. @names stay, for the caller to put. Return: 0 or a negative errno. */
int archive_close(struct archive *archive)
{
	static const char end[2 * BLOCK];

	put(archive, end, sizeof(end));
	if (fclose(archive->file) && !archive->error)
		archive->error = -errno;
	return archive->error;
}
