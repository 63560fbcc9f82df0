/* SPDX-License-Identifier: MIT */
/* What kind of file a client has given, without asking the file: that could wait for ever. */
#ifndef EMU_FILE_H
#define EMU_FILE_H

#include <stdbool.h>

/** file_in_memory() - whether @fd is of tmpfs or hugetlbfs, as a memfd: nobody answers for it. */
bool file_in_memory(int fd);

/**
 * file_on_disk() - whether @fd is a file of a file system on a disk of this machine
 *
 * One in user space or on a network is answered for by somebody, who may not. Those that the
 * administrator has mounted, in this mount namespace, are known.
 */
bool file_on_disk(int fd);

#endif /* EMU_FILE_H */
