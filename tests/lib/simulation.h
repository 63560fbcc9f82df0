/* SPDX-License-Identifier: MIT */
/* The simulated kernel and PCI bus, set up for one run of tphctl. */
#ifndef SIMULATION_H
#define SIMULATION_H

/**
 * simulation_begin() - a kernel whose sysfs is the test's tree
 * @words: what is different from sim_reset(), or NULL
 * @log: file for what the kernel is asked, or NULL
 */
void simulation_begin(const char *words, const char *log);

void simulation_end(void);

#endif /* SIMULATION_H */
