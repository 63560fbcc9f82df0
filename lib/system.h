/* SPDX-License-Identifier: MIT */
/*
 * Every system call that touches a device goes through here, so that the tests can put a simulated
 * kernel in the place of system.c. All answer a negative errno on failure.
 */
#ifndef TPH_SYSTEM_H
#define TPH_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** tph_system_open() - open @path; close-on-exec is always added. Return: descriptor. */
int tph_system_open(const char *path, int flags);

/** tph_system_readlink() - where a link points. Return: 0; -ENAMETOOLONG: it does not fit. */
int tph_system_readlink(const char *path, char *target, size_t size);

/** tph_system_ioctl() - Return: what the kernel answered, 0 or more. */
int tph_system_ioctl(int fd, unsigned long request, void *argument);

/** tph_system_pread() - Return: bytes read, possibly fewer than @size. */
ssize_t tph_system_pread(int fd, void *buffer, size_t size, uint64_t offset);

/** tph_system_pwrite() - Return: bytes written, possibly fewer than @size. */
ssize_t tph_system_pwrite(int fd, const void *buffer, size_t size, uint64_t offset);

/** tph_system_device_number() - which character device @fd is. -ENOTTY: it is none. */
int tph_system_device_number(int fd, dev_t *number);

#endif /* TPH_SYSTEM_H */
