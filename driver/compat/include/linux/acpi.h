/* SPDX-License-Identifier: GPL-2.0-only */
/* The Processor UID by which firmware knows a CPU, from the MADT. */
#include_next <linux/acpi.h>

#ifndef TPH_COMPAT_ACPI_H
#define TPH_COMPAT_ACPI_H

#include <linux/smp.h>
#include <tph_kernel.h>

#if !defined(TPH_KERNEL_CPU_UID) && defined(CONFIG_ACPI)
static inline int acpi_get_cpu_uid(unsigned int cpu, u32 *uid)
{
#if defined(CONFIG_X86)
	*uid = cpu_acpi_id(cpu);
	return *uid == U32_MAX ? -EINVAL : 0;
#elif defined(CONFIG_ARM64)
	*uid = get_acpi_id_for_cpu(cpu);
	return 0;
#else
	/* no tag is better than that of another CPU */
	return -ENODEV;
#endif
}
#endif

#endif
