/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device as tph-vfio-pci has it, and the rooms that a request passes:
 * feature.c, legacy.c or config.c (decode) -> grant.c -> source.c -> table.c.
 */
#ifndef TPH_VFIO_PCI_H
#define TPH_VFIO_PCI_H

#include <linux/acpi.h>
#include <linux/cpumask.h>
#include <linux/eventfd.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/pm_domain.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "areas.h"
#include "budget.h"
#include "capability.h"
#include "compat/ops.h"
#include "guest_map.h"
#include "table.h"
#include "virtual_table.h"

struct dentry;
struct vfio_device_pci_tph_op;
struct vfio_device_feature_tph_guest;
struct tph_answer;
struct tph_vdev;
struct vfio_device_feature_dma_buf_tph;

/**
 * struct tph_source - where a function's steering tags come from
 * @handle: the ACPI object of its host bridge, NULL if there is none
 * @present: it has the _DSM function that tells steering tags
 * @lock: guards @answers; firmware is evaluated under it, and nothing else waits for it
 * @answers: what firmware answered, by CPU; nr_cpu_ids of them, NULL before the first question
 */
struct tph_source {
	acpi_handle handle;
	bool present;
	struct mutex lock; /* see above */
	struct tph_answer *answers;
};

/* Processes that can hold entries of one device at a time; fixed, so that a user cannot grow it. */
#define TPH_LEASES_MAX	64

/**
 * struct tph_lease - a process that set entries and holds them for as long as it may
 * @tph: the device
 * @pid: its thread group; NULL if the lease is free
 * @exit: wakes the reviewer when the process ends
 * @woken: not 0 if it did: the process has to be looked at, at once
 */
struct tph_lease {
	struct tph_vdev *tph;
	struct pid *pid;
	wait_queue_entry_t exit;
	u32 woken;
};

/**
 * struct tph_dmabufs - what the user published for peers that write to the device's dma-bufs
 * @debug: the file in debugfs that lists it, while open
 * @lock: guards everything below; see dmabuf.c for the order of locks
 * @forbidden: the operator does not allow it
 * @count: in @by_node, at most VFIO_DMA_BUF_TPH_MAX
 * @by_node: every publication, by the place of the dma-buf in vfio-pci-core's list
 */
struct tph_dmabufs {
	struct dentry *debug;
	struct mutex lock; /* see above */
	bool forbidden;
	u32 count;
	DECLARE_HASHTABLE(by_node, 8);
};

/**
 * struct tph_guest - a guest that steers by tags of its own
 * @settle: applies what @budget has put off
 * @place: where in configuration space the operator wants a table in the MSI-X table to be shown, 0
 *	if behind the capability; does not change while the device is busy
 * @shown: where the capability is shown. This, @header and the size of @table are valid while the
 *	device is open, and do not change then
 * @header: the capability's, where it is not shown in its own place
 * @map: what the guest's tags stand for
 * @table: what it wrote into the ST table; all 0 without a map
 * @budget: for changes while steering is enabled, and for enables
 * @pending: the ledger is not what @map makes of @table: @settle sees to it, or the next sync
 * @held: an enable waits for @settle: a hold of the table
 * @batch: room for what @table comes to
 *
 * Guarded by the device's lock, as what it belongs to.
 */
struct tph_guest {
	struct delayed_work settle;
	u16 place;
	u16 shown;
	u32 header;
	struct tph_guest_map map;
	struct tph_virtual_table table;
	struct tph_budget budget;
	bool pending;
	bool held;
	struct tph_entry batch[TPH_CAPABILITY_ENTRIES_MAX];
};

/* Why a function sleeps; each is a hold of its table. */
#define TPH_ASLEEP_RUNTIME	BIT(0)	/* runtime suspend: D3hot or D3cold */
#define TPH_ASLEEP_SYSTEM	BIT(1)	/* the whole machine: suspend or hibernation */

/**
 * struct tph_vdev - a VFIO device with steering
 * @core: vfio-pci-core's part
 * @allowed: the kernel was not told pci=notph
 * @source: firmware's tags, kept for as long as the driver is bound
 * @review: looks after the leases while there are entries
 * @release: undoes holds that were left where memory_lock could not be waited for
 * @domain: PM operations around the bus's (power.c)
 * @devices: in the list of open devices (hotplug.c)
 * @targets: the attribute of that name, while open
 * @requester: the attribute of that name, while open
 * @dmabufs: tags into the device
 * @lock: guards everything below. Lock order: igate -> memory_lock -> lock, and for the list of
 *	open devices cpu_hotplug_lock -> list -> lock. A reset calls in with memory_lock held or
 *	not, and a CPU going offline must not wait for it, so nothing that takes memory_lock may be
 *	called with @lock held. Nor is firmware evaluated, or an IOMMU group's lock taken, under
 *	@lock or memory_lock.
 * @policy: the operator's policy; does not change while @busy
 * @cpus: CPUs that the operator lets the device target
 * @revocations: entries taken back since the driver was bound
 * @busy: a user has the device, or is about to
 * @opened: @offer and @table are valid
 * @attached: the device is attached to an I/O address space, or its group's container is
 * @resetting: between reset_prepare and reset_done
 * @recovering: between error_detected and resume, or a failure; where a kernel does not tell of
 *	one, until the function next goes to sleep
 * @removing: the driver lets go of the device: nothing is granted any more
 * @asleep: TPH_ASLEEP_*: why nothing may be read from or written to the function
 * @unclean: closed where the ST table could not be zeroed; it is as soon as it can be
 * @deferred: holds that @release has to undo
 * @completer: what the function takes: TPH_WIDTH_NONE, TPH_WIDTH_8 or TPH_WIDTH_16. This, @msix
 *	and @cap are as found when the driver was bound
 * @msix: where its MSI-X table is
 * @platform: what lies between it and the CPUs, as found then and again at each open
 * @cap: the function's TPH Requester capability
 * @offer: what of it the user is offered
 * @table: the function's steering state
 * @guest: what a guest makes of it
 * @leases: who holds the entries, and what @guest's map has
 * @epoch: the review period: each review ends one, and judges what was set in it or before
 * @asked: up to when the budget for reviews that somebody asks for is spent, in jiffies
 * @due: when the next one is due that nobody has to ask for, in jiffies; 0 while nothing is held
 * @notify: signalled when entries are taken back, may be NULL
 * @msix_table: the function's MSI-X table, mapped while open if the ST table is in it
 */
struct tph_vdev {
	struct vfio_pci_core_device core;
	bool allowed;
	struct tph_source source;
	struct delayed_work review;
	struct work_struct release;
	struct dev_pm_domain domain;
	struct list_head devices;
	struct kernfs_node *targets;
	struct kernfs_node *requester;
	struct tph_dmabufs dmabufs;

	struct mutex lock; /* see above */
	enum tph_policy policy;
	cpumask_var_t cpus;
	u64 revocations;
	bool busy;
	bool opened;
	bool attached;
	bool resetting;
	bool recovering;
	bool removing;
	u8 asleep;
	bool unclean;
	unsigned int deferred;
	u8 completer;
	struct tph_msix msix;
	struct tph_platform platform;
	struct tph_capability cap;
	struct tph_offer offer;
	struct tph_table table;
	struct tph_guest guest;
	struct tph_lease leases[TPH_LEASES_MAX];
	u32 epoch;
	u64 asked;
	u64 due;
	struct eventfd_ctx *notify;
	void __iomem *msix_table;
};

static inline struct tph_vdev *tph_vdev(struct vfio_device *vdev)
{
	return container_of(vdev, struct tph_vdev, core.vdev);
}

/*
 * memory_lock keeps the function's memory within reach, and of all that is written only an ST table
 * in the MSI-X table lies there. Where it does not, nobody who resets the device (a hot reset does
 * not wait for the lock, but fails) is ever in the way.
 */
enum tph_memory {
	TPH_MEMORY_NEEDLESS,
	TPH_MEMORY_TAKEN,
	TPH_MEMORY_BUSY,
};

static inline enum tph_memory tph_memory_lock(struct tph_vdev *tph)
{
	if (tph->cap.place != TPH_PLACE_MSIX)
		return TPH_MEMORY_NEEDLESS;
	down_read(&tph->core.memory_lock);
	return TPH_MEMORY_TAKEN;
}

/* Whoever takes something back does not wait for what the user can make last. */
static inline enum tph_memory tph_memory_trylock(struct tph_vdev *tph)
{
	if (tph->cap.place != TPH_PLACE_MSIX)
		return TPH_MEMORY_NEEDLESS;
	return down_read_trylock(&tph->core.memory_lock) ? TPH_MEMORY_TAKEN : TPH_MEMORY_BUSY;
}

static inline void tph_memory_unlock(struct tph_vdev *tph, enum tph_memory memory)
{
	if (memory == TPH_MEMORY_TAKEN)
		up_read(&tph->core.memory_lock);
}

DEFINE_LOCK_GUARD_1(tph_memory, struct tph_vdev, _T->memory = tph_memory_lock(_T->lock),
		    tph_memory_unlock(_T->lock, _T->memory), enum tph_memory memory)

static inline struct tph_vdev *tph_of_pdev(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return tph_vdev(&core->vdev);
}

/**
 * struct tph_target - what a request wants one entry to be
 * @cpu: the CPU, or TPH_NO_CPU to clear it
 * @index: the entry
 * @persistent: for writes to persistent memory
 */
struct tph_target {
	u32 cpu;
	u16 index;
	bool persistent;
};

/* What a refusal or a revocation is for; the text is in trace.h. */
enum tph_reason {
	TPH_REASON_NOT_OFFERED,	/* device, platform or policy do not have it */
	TPH_REASON_PROCESS,	/* not among the CPUs of the process */
	TPH_REASON_OFFLINE,	/* the CPU is offline or going */
	TPH_REASON_OPERATOR,	/* not among the CPUs of the operator's list */
	TPH_REASON_DETACHED,	/* not attached to an I/O address space */
	TPH_REASON_EXIT,	/* the process is gone */
	TPH_REASON_FIRMWARE,	/* no valid steering tag */
	TPH_REASON_HARDWARE,	/* the function does not take it */
	TPH_REASON_ERROR,	/* the function was lost to an error */
	TPH_REASON_CLOSE,	/* the user closed the device */
	TPH_REASON_BUSY,	/* another process holds some, or the guest does */
	TPH_REASON_LEASES,	/* TPH_LEASES_MAX processes hold entries already */
	TPH_REASON_REMOVED,	/* the driver lets go of the device */
};

/* main.c */
extern enum tph_policy tph_default_policy;
extern const char * const tph_policies[3];
extern struct workqueue_struct *tph_workqueue;

/* stock.c: what stock vfio-pci's users expect */
int tph_stock_check(struct pci_dev *pdev);
int tph_stock_module_init(void);
void tph_stock_module_exit(void);
void tph_stock_init(struct vfio_pci_core_device *core);
int tph_stock_sriov(struct pci_dev *pdev, int count);
void tph_stock_ids(struct pci_driver *driver);

/* platform.c: the function, and what lies between it and the CPUs */
bool tph_platform_allowed(struct pci_dev *pdev);
u8 tph_platform_completer(struct pci_dev *pdev);
void tph_platform_bind(struct tph_vdev *tph);
void tph_platform_refresh(struct tph_vdev *tph);

/* grant.c: may this caller target these CPUs? */
int tph_grant_check(struct tph_vdev *tph, const struct tph_target *targets, u32 count);
int tph_grant_check_locked(struct tph_vdev *tph, const struct tph_target *targets, u32 count);
bool tph_grant_lacking(struct task_struct *leader, struct cpumask *cpus, u32 *looked);

/* lease.c: for how long? */
int tph_lease_take_locked(struct tph_vdev *tph);
struct tph_entry *tph_lease_held_locked(struct tph_vdev *tph, u32 at);
bool tph_lease_others_hold_locked(struct tph_vdev *tph);
void tph_lease_settle(struct tph_vdev *tph);
void tph_lease_review(struct tph_vdev *tph);
void tph_lease_review_held(struct tph_vdev *tph);
void tph_lease_drop_all(struct tph_vdev *tph);
void tph_lease_watch_locked(struct tph_vdev *tph);
void tph_lease_init(struct tph_vdev *tph);
u32 tph_revoke_locked(struct tph_vdev *tph, bool (*lost)(const struct tph_entry *, u32, void *),
		      void *arg, enum tph_reason reason, bool defer);
u32 tph_revoke_all_locked(struct tph_vdev *tph, enum tph_reason reason, bool defer);

/* hotplug.c: CPUs that go offline */
int tph_hotplug_init(void);
void tph_hotplug_exit(void);
void tph_hotplug_add(struct tph_vdev *tph);
void tph_hotplug_remove(struct tph_vdev *tph);
bool tph_hotplug_leaving(u32 cpu);

/* operator.c: the attributes of a bound device */
extern const struct attribute_group *tph_operator_groups[];
void tph_operator_open(struct tph_vdev *tph);
void tph_operator_close(struct tph_vdev *tph);
void tph_operator_changed(struct tph_vdev *tph);

/* source.c: CPU -> steering tags */
void tph_source_init(struct tph_vdev *tph);
void tph_source_release(struct tph_vdev *tph);
void tph_source_forget(u32 cpu);
int tph_source_resolve(struct tph_vdev *tph, u32 cpu, bool persistent, struct tph_tags *tags);

/* hardware.c: the way to the ST table and the control register */
extern const struct tph_table_ops tph_hardware_ops;
int tph_hardware_open(struct tph_vdev *tph);
void tph_hardware_close(struct tph_vdev *tph);

/* region.c: the MSI-X table's pages are nobody else's */
bool tph_region_has_table(const struct tph_vdev *tph, unsigned int index);
int tph_region_info_caps(struct vfio_device *vdev, struct vfio_region_info *info,
			 struct vfio_info_cap *caps);
int tph_region_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
/* export.c: nor are they exported, where dma-bufs are */
#ifdef CONFIG_VFIO_PCI_DMABUF
void tph_export_init(struct tph_vdev *tph);
#else
static inline void tph_export_init(struct tph_vdev *tph) { }
#endif

/* dmabuf.c: tags into the device, for peers that write to its dma-bufs */
#ifdef TPH_DMABUF
int tph_dmabuf_feature(struct tph_vdev *tph, u32 flags,
		       struct vfio_device_feature_dma_buf_tph __user *arg, size_t argsz);
void tph_dmabuf_allow(struct tph_vdev *tph, bool allowed);
bool tph_dmabuf_allowed(struct tph_vdev *tph);
void tph_dmabuf_init(struct tph_vdev *tph);
void tph_dmabuf_release(struct tph_vdev *tph);
void tph_dmabuf_open(struct tph_vdev *tph);
void tph_dmabuf_close(struct tph_vdev *tph);
void tph_dmabuf_module_init(void);
void tph_dmabuf_module_exit(void);

static inline bool tph_dmabuf_possible(const struct tph_vdev *tph)
{
	return tph->completer != TPH_WIDTH_NONE;
}
#else
static inline int tph_dmabuf_feature(struct tph_vdev *tph, u32 flags,
				     struct vfio_device_feature_dma_buf_tph __user *arg,
				     size_t argsz)
{
	return -ENOTTY;
}

static inline void tph_dmabuf_allow(struct tph_vdev *tph, bool allowed) { }
static inline bool tph_dmabuf_allowed(struct tph_vdev *tph) { return false; }
static inline void tph_dmabuf_init(struct tph_vdev *tph) { }
static inline void tph_dmabuf_release(struct tph_vdev *tph) { }
static inline void tph_dmabuf_open(struct tph_vdev *tph) { }
static inline void tph_dmabuf_close(struct tph_vdev *tph) { }
static inline void tph_dmabuf_module_init(void) { }
static inline void tph_dmabuf_module_exit(void) { }
static inline bool tph_dmabuf_possible(const struct tph_vdev *tph) { return false; }
#endif

/* steering.c: the state from open to close, through resets, sleep, attachments, changing vectors */
void tph_steering_init(struct tph_vdev *tph);
int tph_steering_open(struct tph_vdev *tph);
void tph_steering_close(struct tph_vdev *tph);
void tph_steering_closed(struct tph_vdev *tph);
void tph_steering_hold(struct tph_vdev *tph);
void tph_steering_release(struct tph_vdev *tph);
long tph_steering_set_irqs(struct tph_vdev *tph, unsigned long arg);
void tph_steering_sync(struct tph_vdev *tph);
void tph_steering_settle(struct tph_vdev *tph);
void tph_steering_settle_set(struct tph_vdev *tph, bool reset);
void tph_steering_sleep(struct tph_vdev *tph, u8 why);
void tph_steering_wake(struct tph_vdev *tph, u8 why);
void tph_steering_unstick(struct tph_vdev *tph);
void tph_steering_remove(struct tph_vdev *tph);
int tph_steering_request(struct tph_vdev *tph, u32 value, u32 mask);
void tph_steering_attached(struct tph_vdev *tph);
void tph_steering_detached(struct tph_vdev *tph);
void tph_steering_error(struct tph_vdev *tph, pci_channel_state_t state);
void tph_steering_recovered(struct tph_vdev *tph);
void tph_steering_reset_prepare(struct tph_vdev *tph);
void tph_steering_reset_done(struct tph_vdev *tph);

/* power.c: a function that sleeps is left alone */
int tph_power_init(struct tph_vdev *tph);
void tph_power_exit(struct tph_vdev *tph);

/* request.c: the way through grant, source and table */
int tph_request_offered(struct tph_vdev *tph);
int tph_request_resolve(struct tph_vdev *tph, const struct tph_target *targets, u32 count,
			struct tph_entry *entries);
int tph_request_set(struct tph_vdev *tph, const struct tph_target *targets, u32 count);
int tph_request_tags(struct tph_vdev *tph, const struct tph_target *targets, u32 count, u16 *tags);

/* guest.c: a guest that steers by tags of its own */
void tph_guest_init(struct tph_vdev *tph);
void tph_guest_close(struct tph_vdev *tph);
void tph_guest_settle(struct tph_vdev *tph);
bool tph_guest_mapped_locked(struct tph_vdev *tph);
void tph_guest_offer(const struct tph_vdev *tph, struct tph_offer *offer);
void tph_guest_write(struct tph_vdev *tph, unsigned int at, const u8 *bytes, unsigned int count);
int tph_guest_control_locked(struct tph_vdev *tph, struct tph_control control);
void tph_guest_sync_locked(struct tph_vdev *tph);
void tph_guest_reset_locked(struct tph_vdev *tph);
int tph_guest_feature(struct tph_vdev *tph, u32 flags,
		      struct vfio_device_feature_tph_guest __user *arg, size_t argsz);

/* legacy.c: VFIO_DEVICE_PCI_TPH */
long tph_legacy_ioctl(struct tph_vdev *tph, struct vfio_device_pci_tph_op __user *arg);

/* feature.c: VFIO_DEVICE_FEATURE */
int tph_feature_offered(struct tph_vdev *tph, u32 flags);
int tph_feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz);

/* config.c: the virtual capability */
void tph_config_open(struct tph_vdev *tph);
ssize_t tph_config_read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos);
ssize_t tph_config_write(struct vfio_device *vdev, const char __user *buf, size_t count,
			 loff_t *ppos);

#endif
