/* SPDX-License-Identifier: MIT */
/* Sockets in memory, where a harness is linked with them: see sockets.c. */
#ifndef FUZZ_SOCKETS_H
#define FUZZ_SOCKETS_H

/** sockets_open() - how many there are, with epolls and timers; NULL: they are the kernel's. */
unsigned int sockets_open(void) __attribute__((weak));

#endif
