/* SPDX-License-Identifier: GPL-2.0-only */
/* A device that another process has open, as QEMU has: a descriptor of it for tphctl, too. */
#ifndef BORROW_H
#define BORROW_H

#include "tphctl.h"

#define BORROW_PREFIX	"qemu:"

/**
 * borrow_parse() - check qemu:PID/ADDRESS
 * @pid: receives the process
 * @address: receives the PCI address
 *
 * Return: whether it is that.
 */
bool borrow_parse(const char *text, int *pid, char address[TPH_ADDRESS_SIZE]);

/**
 * borrow_device() - get a descriptor of a device that a process has open
 *
 * The process knows nothing of it, and cannot close it: whoever calls has to when the process ends,
 * or the device stays open.
 *
 * Return: descriptor; -ENXIO: there is no such device; -ESRCH: no such process; -ENODEV: it does not
 * have that device open; -ENOTUNIQ: it has several, and the kernel does not tell which is which;
 * -EPERM: the caller may not trace it; -ENOSYS: the kernel has no pidfd_getfd(2) (before Linux 5.6);
 * or another negative errno.
 */
int borrow_device(const struct tphctl *ctl, int pid, const char *address);

/** borrow_process() - a descriptor that poll(2) finds readable once a process has ended. Or -errno. */
int borrow_process(int pid);

#endif /* BORROW_H */
