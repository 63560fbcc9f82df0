# SPDX-License-Identifier: GPL-2.0-only
# Reads the preprocessed headers.c (with cpp -dD, so macros too) and writes tph_kernel.h: what this
# kernel has, TPH_KERNEL_*. Where it lacks what the driver cannot do without, there is no such file.

function has(name, pattern)
{
	names[++count] = name
	patterns[count] = pattern
}

# Without this a protection could not be kept, so there is no module.
function must(what, pattern, why)
{
	needs[++needed] = what
	needed_by[needed] = pattern
	reasons[needed] = why
}

BEGIN {
	has("REGION_INFO_CAPS", "\\(\\*get_region_info_caps\\)")
	has("TOKEN_UUID", "\\(\\*match_token_uuid\\)")
	has("IOMMUFD", "\\(\\*bind_iommufd\\)")
	has("IOMMUFD_DETACH", "\\(\\*detach_ioas\\)")
	has("IOMMUFD_CONTEXT", "[ *]vfio_iommufd_device_ictx\\(|^vfio_iommufd_device_ictx\\(")
	has("IOMMUFD_PASID", "\\(\\*pasid_attach_ioas\\)")
	has("DMABUF_PHYS", "\\(\\*get_dmabuf_phys\\)")
	has("GLOBAL_PARAMETERS", "[ *]vfio_pci_core_set_params\\(")
	has("CPU_UID", "[ *]acpi_get_cpu_uid\\(")
	has("MSI_GUARD", "class_msi_descs_lock")
	has("EVENTFD_SIGNAL_ONE", "[ *]eventfd_signal\\(struct eventfd_ctx \\*[a-z]*\\)")
	has("ASSIGN_STR_ONE", "^#define __assign_str\\([a-z]+\\)")
	has("ARRAY_USER", "[ *]memdup_array_user\\(")

	must("vfio-pci-core with struct vfio_device in it (_vfio_alloc_device)",
	     "[ *]_vfio_alloc_device\\(", "there is nothing to be a variant driver of")
	must("vfio_device_ops.mmap", "\\(\\*mmap\\)\\(struct vfio_device ",
	     "users could map an ST table in the MSI-X table")
	must("vfio_device_ops.write", "\\(\\*write\\)\\(struct vfio_device ",
	     "users could write the TPH capability")
	must("vfio_device_ops.device_feature", "\\(\\*device_feature\\)",
	     "nothing could be asked of the driver")
	must("pci_driver.driver_managed_dma", "[ \t]driver_managed_dma",
	     "users could have a device whose IOMMU group has another driver")
	must("vfio_pci_core_aer_err_detected()", "[ *]vfio_pci_core_aer_err_detected\\(",
	     "tags could outlive error recovery")
	must("vfio_pci_core_device.memory_lock", "rw_semaphore[ \t]+memory_lock",
	     "users could switch off memory while an ST table in it is written")
	must("msi_desc.pci.msix_ctrl", "[ \t]msix_ctrl",
	     "the MSI core would write tags back that were taken away")
	must("pid.wait_pidfd", "[ \t]wait_pidfd",
	     "tags could outlive the process that set them")
	must("cpuhp_tasks_frozen", "[ \t]cpuhp_tasks_frozen",
	     "tags could outlive their CPU over the sleep of the machine")
	must("guard() for mutexes (linux/cleanup.h)", "class_mutex_t",
	     "locks are taken by it")
}

{
	for (i = 1; i <= count; i++)
		if (!(i in found) && $0 ~ patterns[i])
			found[i]
	for (i = 1; i <= needed; i++)
		if (!(i in met) && $0 ~ needed_by[i])
			met[i]
	if (/tph_end_of_headers/)
		whole = 1
}

END {
	if (!whole) {
		print "tph-vfio-pci: this kernel's headers cannot be read; see the error above" \
			>"/dev/stderr"
		exit 1
	}
	for (i = 1; i <= needed; i++) {
		if (i in met)
			continue
		printf "tph-vfio-pci: error: this kernel's headers have no %s: %s. There is no tph-vfio-pci for it.\n",
		       needs[i], reasons[i] >"/dev/stderr"
		refused = 1
	}
	if (refused)
		exit 1
	print "/* Made from this kernel's headers by compat/kernel.awk. */"
	for (i = 1; i <= count; i++)
		if (i in found)
			printf "#define TPH_KERNEL_%s\n", names[i]
}
