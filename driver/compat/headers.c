// SPDX-License-Identifier: GPL-2.0-only
/*
 * All headers of the kernel that differ, and nothing else. It is preprocessed and never compiled:
 * kernel.awk reads what the compiler would see, with this kernel's configuration and without
 * comments, and says what is there.
 */
#include <linux/acpi.h>
#include <linux/cleanup.h>
#include <linux/cpu.h>
#include <linux/eventfd.h>
#include <linux/msi.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#if __has_include(<linux/vfio_pci_core.h>)
#include <linux/vfio_pci_core.h>
#endif
#include <trace/stages/stage6_event_callback.h>

int tph_end_of_headers;
