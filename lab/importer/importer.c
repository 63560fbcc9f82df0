// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab's importer: a kernel driver for an emulated endpoint that writes to dma-bufs of other
 * devices, with the steering tags that their owners published. It is a part of the test platform,
 * and the shortest complete example of an importer for tph_vfio_dma_buf_get().
 *
 * It binds by driver_override alone.
 */
#include <linux/bitfield.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-tph.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_tph_dma_buf.h>

#include "endpoint_regs.h"
#include "importer.h"

#define PATIENCE_US	(5 * USEC_PER_SEC)

/**
 * struct importer - a function of this driver
 * @pdev: the function
 * @regs: its registers
 * @misc: its character device
 * @name: of @misc
 * @width: of the steering tags that it sends: 8, 16, or 0 without TPH
 * @ref: the driver's, and one for each open file
 * @lock: guards @gone, @imports and all of struct import but what @engine guards.
 *	Lock order: lock -> reservation lock of a dma-buf -> engine
 * @gone: the driver is unbound
 * @imports: what open files import
 * @engine: guards the registers and every mapping: a request is on its way only while it is held
 */
struct importer {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct miscdevice misc;
	char name[32];
	unsigned int width;
	struct kref ref;
	struct mutex lock; /* see above */
	bool gone;
	struct list_head imports;
	struct mutex engine; /* see above */
};

/**
 * struct import - an open file, and the dma-buf it imports
 * @importer: the function
 * @node: in its imports
 * @attach: NULL before IMPORTER_ATTACH
 * @sgt: the mapping, NULL without one
 * @mappings: so far
 * @tagged: @tag and @ph are valid for this mapping
 * @tag: steering tag
 * @ph: processing hint
 */
struct import {
	struct importer *importer;
	struct list_head node;
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	u32 mappings;
	bool tagged;
	u16 tag;
	u8 ph;
};

static void importer_free(struct kref *ref)
{
	struct importer *importer = container_of(ref, struct importer, ref);

	mutex_destroy(&importer->engine);
	mutex_destroy(&importer->lock);
	kfree(importer);
}

static void unmap_locked(struct import *import)
{
	dma_resv_assert_held(import->attach->dmabuf->resv);
	lockdep_assert_held(&import->importer->engine);
	if (!import->sgt)
		return;
	dma_buf_unmap_attachment(import->attach, import->sgt, DMA_BIDIRECTIONAL);
	import->sgt = NULL;
	import->tagged = false;
}

/* The mapping and what its requests carry belong together: both in one hold of the lock. */
static int map_locked(struct import *import)
{
	struct importer *importer = import->importer;
	struct sg_table *sgt;

	dma_resv_assert_held(import->attach->dmabuf->resv);
	lockdep_assert_held(&importer->engine);
	sgt = dma_buf_map_attachment(import->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	import->sgt = sgt;
	import->mappings++;
	import->tagged = importer->width &&
			 !tph_vfio_dma_buf_get(import->attach->dmabuf, importer->width == 16,
					       &import->tag, &import->ph);
	return 0;
}

static int map(struct import *import, bool anew)
{
	struct dma_buf *dmabuf = import->attach->dmabuf;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	mutex_lock(&import->importer->engine);
	if (anew)
		unmap_locked(import);
	if (!import->sgt)
		ret = map_locked(import);
	mutex_unlock(&import->importer->engine);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

/*
 * The owner takes the memory away, or gives it back. With the engine's lock taken no request is on
 * its way; the next one maps again, and asks for the tag again.
 */
static void invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct import *import = attach->importer_priv;

	guard(mutex)(&import->importer->engine);
	/* it may be called before dma_buf_dynamic_attach() has returned */
	if (import->attach)
		unmap_locked(import);
}

static const struct dma_buf_attach_ops attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = invalidate_mappings,
};

static void detach(struct import *import)
{
	struct dma_buf *dmabuf;

	lockdep_assert_held(&import->importer->lock);
	if (!import->attach)
		return;
	dmabuf = import->attach->dmabuf;
	dma_resv_lock(dmabuf->resv, NULL);
	scoped_guard(mutex, &import->importer->engine)
		unmap_locked(import);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, import->attach);
	import->attach = NULL;
	dma_buf_put(dmabuf);
}

static int attach(struct import *import, int fd)
{
	struct importer *importer = import->importer;
	struct dma_buf_attachment *attach;
	struct dma_buf *dmabuf;
	int ret;

	if (import->attach)
		return -EBUSY;
	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	attach = dma_buf_dynamic_attach(dmabuf, &importer->pdev->dev, &attach_ops, import);
	if (IS_ERR(attach)) {
		dma_buf_put(dmabuf);
		return PTR_ERR(attach);
	}
	scoped_guard(mutex, &importer->engine)
		import->attach = attach;
	ret = map(import, false);
	if (ret)
		detach(import);
	return ret;
}

/* The bus address of a range, which must not cross an entry of the mapping's list. */
static int find(struct import *import, const struct importer_write *write, dma_addr_t *address)
{
	struct scatterlist *entry;
	u64 offset = write->offset;
	int i;

	for_each_sgtable_dma_sg(import->sgt, entry, i) {
		if (offset < sg_dma_len(entry)) {
			if (write->length > sg_dma_len(entry) - offset)
				return -EINVAL;
			*address = sg_dma_address(entry) + offset;
			return 0;
		}
		offset -= sg_dma_len(entry);
	}
	return -EINVAL;
}

static int request(struct import *import, const struct importer_write *write)
{
	struct importer *importer = import->importer;
	void __iomem *regs = importer->regs;
	u32 hint = 0, status;
	dma_addr_t address;
	int ret;

	lockdep_assert_held(&importer->engine);
	ret = find(import, write, &address);
	if (ret)
		return ret;
	if (import->tagged)
		hint = import->tag | EP_HINT_TAG << EP_HINT_SOURCE_SHIFT |
		       (u32)import->ph << EP_HINT_PH_SHIFT;
	writel(lower_32_bits(address), regs + EP_DMA_DST_LO);
	writel(upper_32_bits(address), regs + EP_DMA_DST_HI);
	writel(write->length, regs + EP_DMA_LENGTH);
	writel(write->pattern, regs + EP_DMA_PATTERN);
	writel(hint, regs + EP_DMA_HINT);
	writel(EP_DMA_NO_VECTOR, regs + EP_DMA_VECTOR);
	writel(EP_DMA_WRITE, regs + EP_DMA_DOORBELL);
	ret = readl_poll_timeout(regs + EP_DMA_STATUS, status, status != EP_DMA_BUSY, 10,
				 PATIENCE_US);
	if (ret) {
		/* nothing may be on its way when the lock is dropped: this ends the command */
		pci_clear_master(importer->pdev);
		readl_poll_timeout(regs + EP_DMA_STATUS, status, status != EP_DMA_BUSY, 10,
				   PATIENCE_US);
		pci_set_master(importer->pdev);
		return ret;
	}
	return status == EP_DMA_DONE ? 0 : -EIO;
}

static int write(struct import *import, const struct importer_write *arg)
{
	int ret = map(import, false);

	if (ret)
		return ret;
	guard(mutex)(&import->importer->engine);
	/* revoked since */
	if (!import->sgt)
		return -ENODEV;
	return request(import, arg);
}

static void state(struct import *import, struct importer_state *arg)
{
	guard(mutex)(&import->importer->engine);
	*arg = (struct importer_state){
		.mapped = !!import->sgt,
		.mappings = import->mappings,
		.width = import->importer->width,
		.tagged = import->tagged,
		.tag = import->tagged ? import->tag : 0,
		.ph = import->tagged ? import->ph : 0,
	};
}

static long importer_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct import *import = file->private_data;
	struct importer *importer = import->importer;
	void __user *user = (void __user *)argument;
	union {
		s32 fd;
		struct importer_write write;
		struct importer_state state;
	} arg;
	int ret;

	if (command != IMPORTER_ATTACH && command != IMPORTER_MAP && command != IMPORTER_WRITE &&
	    command != IMPORTER_STATE)
		return -ENOTTY;
	if (_IOC_DIR(command) & _IOC_WRITE && copy_from_user(&arg, user, _IOC_SIZE(command)))
		return -EFAULT;

	ret = mutex_lock_interruptible(&importer->lock);
	if (ret)
		return ret;
	if (importer->gone)
		ret = -ENODEV;
	else if (command == IMPORTER_ATTACH)
		ret = attach(import, arg.fd);
	else if (command == IMPORTER_STATE)
		state(import, &arg.state);
	else if (!import->attach)
		ret = -ENXIO;
	else if (command == IMPORTER_MAP)
		ret = map(import, true);
	else
		ret = write(import, &arg.write);
	mutex_unlock(&importer->lock);

	if (!ret && _IOC_DIR(command) & _IOC_READ && copy_to_user(user, &arg, _IOC_SIZE(command)))
		return -EFAULT;
	return ret;
}

static int importer_open(struct inode *inode, struct file *file)
{
	/* the misc core holds its lock, so the driver is not unbound meanwhile */
	struct importer *importer = container_of(file->private_data, struct importer, misc);
	struct import *import = kzalloc_obj(*import);

	if (!import)
		return -ENOMEM;
	import->importer = importer;
	kref_get(&importer->ref);
	scoped_guard(mutex, &importer->lock)
		list_add(&import->node, &importer->imports);
	file->private_data = import;
	return 0;
}

static int importer_release(struct inode *inode, struct file *file)
{
	struct import *import = file->private_data;
	struct importer *importer = import->importer;

	scoped_guard(mutex, &importer->lock) {
		detach(import);
		list_del(&import->node);
	}
	kfree(import);
	kref_put(&importer->ref, importer_free);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_release,
	.unlocked_ioctl = importer_ioctl,
};

#ifdef CONFIG_PCIE_TPH
/* Returns the width of the tags that the function may send from now on, or 0. */
static unsigned int tph_on(struct pci_dev *pdev)
{
	if (pcie_enable_tph(pdev, PCI_TPH_ST_DS_MODE))
		return 0;
	return pdev->tph_req_type == PCI_TPH_REQ_EXT_TPH ? 16 : 8;
}

static void tph_off(struct pci_dev *pdev)
{
	pcie_disable_tph(pdev);
}
#else
/*
 * A kernel that knows no TPH leaves the capability alone, and so it is this driver's. A tag is as
 * wide as both ends of the link can have it: PCIe 6.2, 6.17.
 */
static unsigned int tph_on(struct pci_dev *pdev)
{
	struct pci_dev *port = pcie_find_root_port(pdev);
	int offset = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_TPH);
	u32 requester, completer, width;

	if (!offset || !port)
		return 0;
	pci_read_config_dword(pdev, offset + PCI_TPH_CAP, &requester);
	pcie_capability_read_dword(port, PCI_EXP_DEVCAP2, &completer);
	completer = FIELD_GET(PCI_EXP_DEVCAP2_TPH_COMP_MASK, completer);
	if (!(requester & PCI_TPH_CAP_ST_DS) || !(completer & PCI_EXP_DEVCAP2_TPH_COMP_TPH_ONLY))
		return 0;
	width = completer == PCI_EXP_DEVCAP2_TPH_COMP_EXT_TPH && requester & PCI_TPH_CAP_EXT_TPH ?
		PCI_TPH_REQ_EXT_TPH : PCI_TPH_REQ_TPH_ONLY;
	pci_write_config_dword(pdev, offset + PCI_TPH_CTRL,
			       FIELD_PREP(PCI_TPH_CTRL_MODE_SEL_MASK, PCI_TPH_ST_DS_MODE) |
			       FIELD_PREP(PCI_TPH_CTRL_REQ_EN_MASK, width));
	return width == PCI_TPH_REQ_EXT_TPH ? 16 : 8;
}

static void tph_off(struct pci_dev *pdev)
{
	int offset = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_TPH);

	if (offset)
		pci_write_config_dword(pdev, offset + PCI_TPH_CTRL, 0);
}
#endif

static int importer_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct importer *importer = kzalloc_obj(*importer);
	int ret;

	if (!importer)
		return -ENOMEM;
	kref_init(&importer->ref);
	mutex_init(&importer->lock);
	mutex_init(&importer->engine);
	INIT_LIST_HEAD(&importer->imports);
	importer->pdev = pdev;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		goto err_free;
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_disable;
	importer->regs = pci_iomap(pdev, EP_BAR, EP_REGISTERS_END);
	if (!importer->regs) {
		ret = -ENOMEM;
		goto err_disable;
	}
	if (readl(importer->regs + EP_ID) != EP_ID_VALUE) {
		ret = -ENODEV;
		goto err_unmap;
	}
	pci_set_master(pdev);
	/* without it requests carry no tag, and all else is the same */
	importer->width = tph_on(pdev);

	snprintf(importer->name, sizeof(importer->name), "tph-importer-%s", pci_name(pdev));
	importer->misc = (struct miscdevice){
		.minor = MISC_DYNAMIC_MINOR,
		.name = importer->name,
		.fops = &importer_fops,
		.parent = &pdev->dev,
	};
	pci_set_drvdata(pdev, importer);
	ret = misc_register(&importer->misc);
	if (ret)
		goto err_quiet;
	return 0;

err_quiet:
	tph_off(pdev);
	pci_clear_master(pdev);
err_unmap:
	pci_iounmap(pdev, importer->regs);
err_disable:
	pci_disable_device(pdev);
err_free:
	kref_put(&importer->ref, importer_free);
	return ret;
}

static void importer_remove(struct pci_dev *pdev)
{
	struct importer *importer = pci_get_drvdata(pdev);
	struct import *import;

	misc_deregister(&importer->misc);
	scoped_guard(mutex, &importer->lock) {
		importer->gone = true;
		list_for_each_entry(import, &importer->imports, node)
			detach(import);
	}
	tph_off(pdev);
	pci_clear_master(pdev);
	pci_iounmap(pdev, importer->regs);
	pci_disable_device(pdev);
	kref_put(&importer->ref, importer_free);
}

static struct pci_driver importer_driver = {
	.name = "tph-importer",
	.probe = importer_probe,
	.remove = importer_remove,
};
module_pci_driver(importer_driver);

MODULE_IMPORT_NS("DMA_BUF");
MODULE_LICENSE("GPL");
MODULE_AUTHOR("the vfio-tph authors");
MODULE_DESCRIPTION("An importer of dma-bufs for an emulated TPH endpoint (lab only)");
