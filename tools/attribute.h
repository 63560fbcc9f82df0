/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sysfs attributes that are written, or watched: in a file of its own, so that tests can put a bus
 * in its place.
 */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include <stddef.h>

/** attribute_write() - write @text to the attribute at @path in one go. Return: 0 or -errno. */
int attribute_write(const char *path, const char *text);

/** attribute_open() - open an attribute to watch it. Return: descriptor or -errno. */
int attribute_open(const char *path);

/**
 * attribute_read() - read what an attribute says now, less the newline at its end
 *
 * From here on, attribute_wait() waits for what comes after that.
 *
 * Return: 0; -ENODEV: the attribute is gone; or another negative errno.
 */
int attribute_read(int fd, char *text, size_t size);

/**
 * uevent_open() - be told when devices come, go, and change driver
 *
 * An attribute that goes away wakes nobody that waits for it; this does.
 *
 * Return: descriptor or -errno.
 */
int uevent_open(void);

/**
 * attribute_wait() - wait until one of @count attributes may have changed or gone
 * @uevents: from uevent_open()
 *
 * Return: 0 or -errno.
 */
int attribute_wait(const int *fds, unsigned int count, int uevents);

/* most attributes to wait for at once */
#define ATTRIBUTES_MAX	8

#endif /* ATTRIBUTE_H */
