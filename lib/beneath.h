/* SPDX-License-Identifier: MIT */
/*
 * Files of a tree and nothing outside it: a sysfs may be a copy, and a stranger's. No link leads out
 * of it, and none of its files is waited for.
 */
#ifndef TPH_BENEATH_H
#define TPH_BENEATH_H

#include <stddef.h>

/** tph_beneath_top() - the folder that all is beneath. Return: descriptor, or -errno. */
int tph_beneath_top(const char *root);

/**
 * tph_beneath_open() - open a file of the tree
 * @top: from tph_beneath_top()
 * @path: where it is below @top
 * @flags: 0 to read a regular file, O_WRONLY to write one, O_DIRECTORY for a directory
 *
 * Return: descriptor; -EXDEV: a link leads out of the tree; -EINVAL: it is neither of these, such as
 * a FIFO; or what open() says.
 */
int tph_beneath_open(int top, const char *path, int flags);

/** tph_beneath_find() - whether a file is there, of whatever kind. Return: 0 or as above. */
int tph_beneath_find(int top, const char *path);

/**
 * tph_beneath_link() - where a link points, which is not gone to
 *
 * Return: 0; -EINVAL: it is no link; -ENAMETOOLONG: it does not fit; or as above.
 */
int tph_beneath_link(int top, const char *path, char *target, size_t size);

/**
 * tph_beneath_name() - the last component of what a link says
 * @target: that
 * @name: receives it, to be a component of other paths and of a line of text
 * @size: bytes of @name
 *
 * Return: 0; -ENAMETOOLONG: it does not fit; -EIO: it is no name of a file, or of more than a line.
 */
int tph_beneath_name(const char *target, char *name, size_t size);

#endif /* TPH_BENEATH_H */
