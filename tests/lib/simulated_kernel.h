/* SPDX-License-Identifier: MIT */
/*
 * A kernel for libtph, in place of lib/system.c: one VFIO device with a TPH capability, served as
 * include/uapi/linux/vfio_tph.h says. Descriptors are real ones (eventfd), so that a descriptor
 * that the library forgets shows in /proc/self/fd; sysfs is a real tree under a folder of the test.
 */
#ifndef SIMULATED_KERNEL_H
#define SIMULATED_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SIM_ENTRIES_MAX	2048
#define SIM_GUEST_TAGS_MAX 4096
#define SIM_CONFIG_SIZE	4096
#define SIM_CONFIG_AT	0x70000000000ull	/* offset of configuration space in the device */
#define SIM_PCIE_AT	0x40
#define SIM_MSIX_AT	0x80
#define SIM_AER_AT	0x100
#define SIM_TPH_AT	0x1b0
#define SIM_FAILURES_MAX 4
#define SIM_DMABUFS_MAX	4
#define SIM_PAGE	4096u
#define SIM_MAPPINGS_MAX 8
#define SIM_GROUP	"12"		/* of the device, where sysfs says so */

enum sim_policy { SIM_NO_ST, SIM_IV_ST, SIM_DS_ST };

/* a request as the kernel saw it */
struct sim_request {
	unsigned int operation;		/* VFIO_DEVICE_FEATURE_{PROBE,SET,GET} bits */
	uint32_t argsz;
	uint32_t flags;
	uint16_t index;
	uint16_t count;
};

/* what the kernel keeps of a dma-buf that it exported */
struct sim_dmabuf {
	int fd;				/* 0: none */
	uint32_t flags;			/* VFIO_DMA_BUF_TPH_* */
	uint8_t st, ph;
	uint16_t xst;
};

/* a failure to inject: the @skip + 1st ioctl of that number answers @error */
struct sim_failure {
	unsigned long request;
	unsigned int skip;
	int error;
};

/* memory that the device may reach, by either way */
struct sim_mapping {
	uint64_t iova, size, memory;	/* size 0: none */
	bool read, write;
};

struct sim_kernel {
	/* machine */
	const char *sysfs;		/* what /sys is */
	int node_error;			/* opening /dev/vfio/devices/vfio7 */
	int iommu_error;		/* opening /dev/iommu */
	int group_error;		/* opening /dev/vfio/12 */
	int container_error;		/* opening /dev/vfio/vfio */
	bool type1;			/* there is an IOMMU for containers */
	bool viable;			/* no host driver has a device of the group */
	bool in_group;			/* the device is one of the group's, for VFIO */
	int uevent_error;		/* opening the socket of the kernel's events */
	dev_t node_number;		/* of /dev/vfio/devices/vfio7 */
	unsigned int cpus;		/* present */
	uint64_t cpus_allowed;		/* online, granted, and in the caller's affinity */
	uint64_t cpus_without_8, cpus_without_16; /* firmware's tag of that width is invalid */

	/* device and driver */
	bool pci;
	bool tph_driver;		/* false: stock vfio-pci */
	bool held;			/* somebody else has it open */
	bool token_wanted;		/* a VF whose PF is used through VFIO */
	unsigned char token[16];	/* its VF token */
	bool kernel_takes_tokens;	/* false: before Linux 6.17, which asks for none by this way */
	enum sim_policy policy;
	bool crowded;			/* too many other processes hold entries */
	int probe_error;		/* PROBE and SET say so; 0: by policy */
	uint32_t entries;
	uint8_t config[SIM_CONFIG_SIZE];
	uint32_t config_size;
	bool inaccessible;		/* control register drops writes */
	bool mode_stuck;		/* control register takes the width alone */
	unsigned int completer;		/* widest tags that the function takes: 0, 8 or 16 */
	bool publish_forbidden;		/* by the operator */
	uint64_t bar_size[6];		/* bytes */

	/* state */
	int device_fd, iommu_fd;
	bool bound, attached;
	int group_fd, container_fd;	/* as last opened */
	uint64_t device_ino, group_ino, container_ino, iommu_ino; /* of their files, and of copies */

	bool group_joined, container_has_iommu;
	struct sim_mapping mappings[SIM_MAPPINGS_MAX];
	uint32_t cpu_of[SIM_ENTRIES_MAX];
	bool persistent[SIM_ENTRIES_MAX];
	uint32_t guest_count;		/* virtual tags of the map */
	uint32_t guest_cpu[SIM_GUEST_TAGS_MAX];	/* what each stands for */
	uint32_t guest_flags;		/* of the last SET */
	uint16_t guest_table[SIM_ENTRIES_MAX];	/* what the guest wrote */
	bool guest_held;		/* another process has a map */
	int notify_fd;			/* own descriptor of the user's eventfd, or -1 */
	struct sim_dmabuf dmabufs[SIM_DMABUFS_MAX];

	/* injected */
	struct sim_failure failures[SIM_FAILURES_MAX];
	int read_fails;			/* nth pread from now fails, 0: none */
	int read_short;			/* nth pread from now is short, 0: none */
	bool write_short;
	uint32_t wrong_tag;		/* added to every tag given out */
	int debug_error;		/* opening a file in debugfs */
	bool read_only;			/* sysfs is mounted so */

	/* what was asked */
	FILE *log;			/* SET requests and control writes, if not NULL */
	unsigned int opens, ioctls, preads, pwrites, features;
	struct sim_request last;
	unsigned char last_bytes[64];	/* the request with its payload, as much as there was */
	char device_name[96];		/* as the group was asked for it */
	uint32_t bind_argsz, attach_argsz, attach_pt_id, alloc_size;
	int bind_iommufd;
	uint32_t control;		/* last one written */
};

extern struct sim_kernel sim;

/** sim_reset() - a free device with an 8-entry MSI-X table, all modes, policy ds-st. */
void sim_reset(const char *sysfs);

/** sim_set_capability() - what the (virtual) TPH Requester capability offers. */
void sim_set_capability(uint32_t modes, bool extended, uint32_t location, uint32_t entries);

/** sim_mapping_at() - what is mapped at @iova, or NULL. */
const struct sim_mapping *sim_mapping_at(uint64_t iova);

/** sim_adopt() - make @fd a bound VFIO device, as a parent process would hand down. */
void sim_adopt(int fd);

/** sim_revoke() - take back the entries that steer to @cpu, and tell the user. */
void sim_revoke(uint32_t cpu);

/** sim_dmabuf_find() - what is kept of the dma-buf behind @fd, or NULL. */
struct sim_dmabuf *sim_dmabuf_find(int fd);

/** sim_fail() - inject a failure. */
void sim_fail(unsigned long request, unsigned int skip, int error);

uint32_t sim_config_get(uint32_t offset);
void sim_config_put(uint32_t offset, uint32_t value);

#endif /* SIMULATED_KERNEL_H */
