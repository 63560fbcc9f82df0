/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For kernel drivers that import dma-bufs: the steering tags that the owner of a VFIO device
 * published for a dma-buf of it (VFIO_DEVICE_FEATURE_DMA_BUF_TPH in <linux/vfio_tph.h>).
 */
#ifndef _LINUX_VFIO_TPH_DMA_BUF_H
#define _LINUX_VFIO_TPH_DMA_BUF_H

#include <linux/types.h>

struct dma_buf;

int tph_vfio_dma_buf_get(struct dma_buf *dmabuf, bool extended, u16 *tag, u8 *ph);

#endif
