/* SPDX-License-Identifier: GPL-2.0-only */
#include "compat/trace.h"

#undef TRACE_SYSTEM
#define TRACE_SYSTEM tph_vfio_pci

#if !defined(TPH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TPH_TRACE_H

#include <linux/pci.h>
#include <linux/tracepoint.h>
#include <linux/vfio_tph.h>

#include "tph_vfio_pci.h"

/*
 * "Why was I refused?", in words. The order of all events of one device is that of its lock, but
 * for what is refused before it is taken.
 */
#define TPH_REASONS									\
	TPH_REASON(TPH_REASON_NOT_OFFERED,	"not-offered")			\
	TPH_REASON(TPH_REASON_PROCESS,		"process-may-not-run-there")	\
	TPH_REASON(TPH_REASON_OFFLINE,		"cpu-offline")			\
	TPH_REASON(TPH_REASON_OPERATOR,		"not-in-operator-list")		\
	TPH_REASON(TPH_REASON_DETACHED,		"not-attached")			\
	TPH_REASON(TPH_REASON_EXIT,		"process-gone")			\
	TPH_REASON(TPH_REASON_FIRMWARE,		"no-valid-tag")			\
	TPH_REASON(TPH_REASON_HARDWARE,		"hardware")			\
	TPH_REASON(TPH_REASON_ERROR,		"device-error")			\
	TPH_REASON(TPH_REASON_CLOSE,		"closed")			\
	TPH_REASON(TPH_REASON_BUSY,		"held-by-another")		\
	TPH_REASON(TPH_REASON_LEASES,		"too-many-processes")		\
	TPH_REASON_LAST(TPH_REASON_REMOVED,	"removed")

/* the numbers, for programs that read the events' format: they do not know the names */
#undef TPH_REASON
#undef TPH_REASON_LAST
#define TPH_REASON(reason, text)	TRACE_DEFINE_ENUM(reason);
#define TPH_REASON_LAST(reason, text)	TRACE_DEFINE_ENUM(reason);
TPH_REASONS
#undef TPH_REASON
#undef TPH_REASON_LAST
#define TPH_REASON(reason, text)	{ reason, text },
#define TPH_REASON_LAST(reason, text)	{ reason, text }

/* an entry was granted: it steers to @cpu, in force or not */
TRACE_EVENT(tph_set,
	TP_PROTO(struct pci_dev *pdev, u32 index, const struct tph_entry *granted),
	TP_ARGS(pdev, index, granted),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u32, index)
		__field(u32, cpu)
		__field(u16, st)
		__field(u16, xst)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->index = index;
		__entry->cpu = granted->cpu;
		__entry->st = tph_entry_tag(granted, TPH_WIDTH_8);
		__entry->xst = tph_entry_tag(granted, TPH_WIDTH_16);
	),
	TP_printk("%s index=%u cpu=%d st=%#x xst=%#x", __get_str(device), __entry->index,
		  (int)__entry->cpu, __entry->st, __entry->xst)
);

/* a request was refused; @cpu is TPH_NO_CPU where no single CPU is to blame */
TRACE_EVENT(tph_refuse,
	TP_PROTO(struct pci_dev *pdev, u32 cpu, enum tph_reason reason, int error),
	TP_ARGS(pdev, cpu, reason, error),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u32, cpu)
		__field(u32, reason)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->cpu = cpu;
		__entry->reason = reason;
		__entry->error = error;
	),
	TP_printk("%s cpu=%d reason=%s error=%d", __get_str(device), (int)__entry->cpu,
		  __print_symbolic(__entry->reason, TPH_REASONS), __entry->error)
);

/* an entry was taken back: ledger now, hardware before the lock is dropped */
TRACE_EVENT(tph_revoke,
	TP_PROTO(struct pci_dev *pdev, u32 index, u32 cpu, enum tph_reason reason),
	TP_ARGS(pdev, index, cpu, reason),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u32, index)
		__field(u32, cpu)
		__field(u32, reason)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->index = index;
		__entry->cpu = cpu;
		__entry->reason = reason;
	),
	TP_printk("%s index=%u cpu=%u reason=%s", __get_str(device), __entry->index, __entry->cpu,
		  __print_symbolic(__entry->reason, TPH_REASONS))
);

/* a map of @count virtual tags took the place of the one before: @tag 0, then each that has a CPU */
TRACE_EVENT(tph_map,
	TP_PROTO(struct pci_dev *pdev, u32 count, u32 tag, const struct tph_entry *slot),
	TP_ARGS(pdev, count, tag, slot),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u32, count)
		__field(u32, tag)
		__field(u32, cpu)
		__field(u16, st)
		__field(u16, xst)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->count = count;
		__entry->tag = tag;
		__entry->cpu = slot ? slot->cpu : TPH_NO_CPU;
		__entry->st = slot ? tph_entry_tag(slot, TPH_WIDTH_8) : 0;
		__entry->xst = slot ? tph_entry_tag(slot, TPH_WIDTH_16) : 0;
	),
	TP_printk("%s count=%u tag=%u cpu=%d st=%#x xst=%#x", __get_str(device), __entry->count,
		  __entry->tag, (int)__entry->cpu, __entry->st, __entry->xst)
);

/* a virtual tag of a guest's was taken back: no write of the guest's brings its CPU back */
TRACE_EVENT(tph_unmap,
	TP_PROTO(struct pci_dev *pdev, u32 tag, u32 cpu, enum tph_reason reason),
	TP_ARGS(pdev, tag, cpu, reason),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u32, tag)
		__field(u32, cpu)
		__field(u32, reason)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->tag = tag;
		__entry->cpu = cpu;
		__entry->reason = reason;
	),
	TP_printk("%s tag=%u cpu=%u reason=%s", __get_str(device), __entry->tag, __entry->cpu,
		  __print_symbolic(__entry->reason, TPH_REASONS))
);

/* leases were reviewed: on request, or as every half second; an ended process is no review */
TRACE_EVENT(tph_review,
	TP_PROTO(struct pci_dev *pdev, bool asked, u32 leases, u32 threads, u32 lost),
	TP_ARGS(pdev, asked, leases, threads, lost),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(bool, asked)
		__field(u32, leases)
		__field(u32, threads)
		__field(u32, lost)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->asked = asked;
		__entry->leases = leases;
		__entry->threads = threads;
		__entry->lost = lost;
	),
	TP_printk("%s %s leases=%u threads=%u lost=%u", __get_str(device),
		  __entry->asked ? "asked" : "due", __entry->leases, __entry->threads,
		  __entry->lost)
);

/* a write to hardware: configuration space, or the tag of MSI-X table entry @at if @bytes is 0 */
TRACE_EVENT(tph_apply,
	TP_PROTO(struct pci_dev *pdev, u16 at, u8 bytes, u32 value, int error),
	TP_ARGS(pdev, at, bytes, value, error),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(u16, at)
		__field(u8, bytes)
		__field(u32, value)
		__field(int, error)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->at = at;
		__entry->bytes = bytes;
		__entry->value = value;
		__entry->error = error;
	),
	TP_printk("%s at=%#x bytes=%u value=%#x error=%d", __get_str(device), __entry->at,
		  __entry->bytes, __entry->value, __entry->error)
);

/* what peers should write to a dma-buf with, as its owner says */
TRACE_EVENT(tph_publish,
	TP_PROTO(struct pci_dev *pdev, unsigned long inode,
		 const struct vfio_device_feature_dma_buf_tph *tags),
	TP_ARGS(pdev, inode, tags),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(unsigned long, inode)
		__field(u32, flags)
		__field(u16, xst)
		__field(u8, st)
		__field(u8, ph)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->inode = inode;
		__entry->flags = tags->flags;
		__entry->xst = tags->steering_tag_ext;
		__entry->st = tags->steering_tag;
		__entry->ph = tags->ph;
	),
	TP_printk("%s dmabuf=%lu flags=%#x st=%#x xst=%#x ph=%u", __get_str(device),
		  __entry->inode, __entry->flags, __entry->st, __entry->xst, __entry->ph)
);

/* a reset of the function begins (@done false) or is over */
TRACE_EVENT(tph_reset,
	TP_PROTO(struct pci_dev *pdev, bool done),
	TP_ARGS(pdev, done),
	TP_STRUCT__entry(
		__string(device, pci_name(pdev))
		__field(bool, done)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->done = done;
	),
	TP_printk("%s %s", __get_str(device), __entry->done ? "done" : "prepare")
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
