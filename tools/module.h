/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel modules. Apart, so that tests load none. */
#ifndef MODULE_H
#define MODULE_H

/** module_load() - have modprobe(8) load a module, with the options of modprobe.d. */
void module_load(const char *name);

#endif /* MODULE_H */
