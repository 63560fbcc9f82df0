/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of sysfs, proc and boot, by their paths. Those of a tree that somebody saved go through
 * beneath.h: no link leads out of it, to read or to write, and none of its files is waited for.
 */
#ifndef SYSFS_FILE_H
#define SYSFS_FILE_H

#include <stddef.h>
#include <stdio.h>

/** sysfs_confine() - from here on @root is such a tree, and must outlive its use; NULL: none is. */
void sysfs_confine(const char *root);

/**
 * sysfs_open() - open a file
 * @flags: 0 to read, O_WRONLY, or O_DIRECTORY
 *
 * Return: descriptor or -errno; of a saved tree -EXDEV where a link leads out of it, and -EINVAL of
 * what is neither a file nor a directory.
 */
int sysfs_open(const char *path, int flags);

/**
 * sysfs_fopen() - the same, to read a file as a stream
 *
 * Return: NULL and errno where it cannot be; EFBIG: in a saved tree, and larger than any of the
 * kernel's. One that grows while it is read ends there, too.
 */
FILE *sysfs_fopen(const char *path);

/** sysfs_read_text() - read a small file, less the newline at its end. Return: 0 or -errno. */
int sysfs_read_text(const char *path, char *text, size_t size);

/** sysfs_find() - whether a file is there, of whatever kind. Return: 0 or -errno. */
int sysfs_find(const char *path);

/** sysfs_link() - where a link points. Return: 0; -EINVAL: it is no link; or another -errno. */
int sysfs_link(const char *path, char *target, size_t size);

/**
 * sysfs_link_name() - the last component of where a link points
 *
 * Return: 0; -EIO: no kernel names anything so, and it would not do as a part of other paths or of
 * a line; or as sysfs_link().
 */
int sysfs_link_name(const char *path, char *name, size_t size);

#endif /* SYSFS_FILE_H */
