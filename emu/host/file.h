/* SPDX-License-Identifier: MIT */
/*
 * What kind of file a client has given, without asking the file: that could wait for ever. And files
 * that the user has named, to be read whole.
 */
#ifndef EMU_FILE_H
#define EMU_FILE_H

#include <stdbool.h>
#include <stddef.h>

/** file_in_memory() - whether @fd is of tmpfs or hugetlbfs, as a memfd: nobody answers for it. */
bool file_in_memory(int fd);

/**
 * file_on_disk() - whether @fd is a file of a file system on a disk of this machine
 *
 * One in user space or on a network is answered for by somebody, who may not. Those that the
 * administrator has mounted, in this mount namespace, are known.
 */
bool file_on_disk(int fd);

/**
 * file_read() - a regular file of up to @max bytes, at most 1 GiB
 * @size: receives its bytes
 * @error: receives what is wrong, to be freed by the caller
 *
 * Return: them, with a NUL behind, to be freed by the caller; NULL with @error set.
 */
char *file_read(const char *path, size_t max, size_t *size, char **error);

#endif /* EMU_FILE_H */
