/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR MIT */
/*
 * What programs say to the lab's importer, a character device /dev/tph-importer-BDF for each
 * function it is bound to. One open file imports one dma-buf.
 */
#ifndef LAB_IMPORTER_H
#define LAB_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Import the dma-buf with this descriptor, and map it. EBUSY: this file has one already. */
#define IMPORTER_ATTACH	_IOW('T', 0, __s32)

/*
 * Map anew, and ask for the tag anew. Errors: ENXIO - nothing imported; ENODEV - revoked by its
 * owner.
 */
#define IMPORTER_MAP	_IO('T', 1)

/*
 * Let the function write to the dma-buf; maps first if need be. Errors: ENXIO, ENODEV as above;
 * EINVAL - not inside the dma-buf; EIO - the function reports a fault; ETIMEDOUT - it does not end.
 */
struct importer_write {
	__u64 offset;	/* in the dma-buf, bytes */
	__u32 length;	/* bytes */
	__u32 pattern;	/* these four bytes, again and again */
};
#define IMPORTER_WRITE	_IOW('T', 2, struct importer_write)

struct importer_state {
	__u32 mapped;	/* whether there is a mapping now */
	__u32 mappings;	/* so far */
	__u32 width;	/* of tags that the function sends: 8, 16, or 0 without TPH */
	__u32 tagged;	/* whether writes carry a tag: the one of the last mapping */
	__u16 tag;
	__u16 ph;
};
#define IMPORTER_STATE	_IOR('T', 3, struct importer_state)

#endif
