/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tar archive (POSIX.1, pax interchange format) that is written here, not by tar(1) or libarchive:
 * tar(1) would put the user's name into it, and libarchive brings twenty libraries.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <stddef.h>
#include <stdio.h>

#include <json-c/json.h>

/**
 * struct archive - one that is being written
 * @top: folder that all is in
 * @names: what was put into it, without @top
 * @error: the first that occurred, 0 or a negative errno
 */
struct archive {
	FILE *file;
	const char *top;
	struct json_object *names;
	int error;
};

int archive_create(struct archive *archive, const char *path, const char *top);
void archive_file(struct archive *archive, const char *name, const void *data, size_t size);
void archive_text(struct archive *archive, const char *name, const char *text);
void archive_link(struct archive *archive, const char *name, const char *target);
void archive_folder(struct archive *archive, const char *name);
int archive_close(struct archive *archive);

#endif /* ARCHIVE_H */
