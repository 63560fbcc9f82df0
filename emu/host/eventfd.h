/* SPDX-License-Identifier: MIT */
/* Eventfds that a client has given for its interrupts. */
#ifndef EMU_EVENTFD_H
#define EMU_EVENTFD_H

#include <stdbool.h>

/** eventfd_is() - whether @fd is one. A write to anything else could wait, or be seen by somebody. */
bool eventfd_is(int fd);

/**
 * eventfd_prepare() - once a process, before the first eventfd_signal(), in its thread
 *
 * Return: 0; -errno: there is no way to signal one and not to wait.
 */
int eventfd_prepare(void);

/**
 * eventfd_signal() - add 1 to @fd, and do not wait for who fills it
 *
 * The client has the same open file, with its flags, and can fill it at any moment: write(2) may
 * wait for ever. The kernel's own signal of a finished request does not, and leaves a full one
 * full. Without asynchronous requests (kernels built so, filters of system calls, fs.aio-max-nr) one
 * that poll(2) finds full is left alone, and from one that is filled right then a timer calls back
 * after a millisecond.
 */
void eventfd_signal(int fd);

#endif /* EMU_EVENTFD_H */
