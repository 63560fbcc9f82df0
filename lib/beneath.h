/* SPDX-License-Identifier: MIT */
/* Files of a sysfs tree, which may be a stranger's: nothing outside it is read by its links. */
#ifndef TPH_BENEATH_H
#define TPH_BENEATH_H

/**
 * tph_beneath_open() - open a file in a tree to read it
 * @root: the tree
 * @path: @root, a slash, and where the file is below it
 * @flags: 0 for a regular file, O_DIRECTORY for a directory
 *
 * Return: descriptor; -EXDEV: a link leads out of the tree; -EINVAL: it is neither of these, such as
 * a FIFO; or what open() says.
 */
int tph_beneath_open(const char *root, const char *path, int flags);

#endif /* TPH_BENEATH_H */
