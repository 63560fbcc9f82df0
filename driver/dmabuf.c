// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steering tags into the device: what its owner publishes for peers that write to its dma-bufs.
 *
 * What is published belongs to the dma-buf and is read and written with its reservation lock held.
 * struct dma_buf has no place for it, so it is found by the number of the dma-buf's inode, which
 * the kernel counts up and never gives out twice. No reference is held: a dma-buf goes when its
 * users let go of it, and what is left of it here can match nothing else.
 *
 * Lock order: memory_lock -> reservation lock of the dma-buf -> tph_dmabufs.lock.
 */
#include <linux/debugfs.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/hashtable.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio_tph.h>
#include <linux/vfio_tph_dma_buf.h>
#include <linux/xarray.h>

#include "tph_vfio_pci.h"
#include "trace.h"

#define FLAGS	(VFIO_DMA_BUF_TPH_ST | VFIO_DMA_BUF_TPH_ST_EXT)
#define PH_MAX	3

/**
 * struct publication - what is published for one dma-buf
 * @dmabuf: the dma-buf; to compare, it may be gone
 * @inode: its number
 * @node: its place in vfio-pci-core's list of the device's dma-bufs; to compare
 * @size: bytes
 * @flags: which tags are valid, VFIO_DMA_BUF_TPH_*
 * @xst: 16-bit tag
 * @st: 8-bit tag
 * @ph: processing hint
 * @listed: found in the list, for prune()
 * @by_node: in tph_dmabufs.by_node
 * @rcu: tph_vfio_dma_buf_get() may have just found it
 */
struct publication {
	const struct dma_buf *dmabuf;
	unsigned long inode;
	const struct list_head *node;
	size_t size;
	u32 flags;
	u16 xst;
	u8 st;
	u8 ph;
	bool listed;
	struct hlist_node by_node;
	struct rcu_head rcu;
};

/* Of all devices, by inode number. An importer knows the dma-buf alone. */
static DEFINE_XARRAY_FLAGS(publications, XA_FLAGS_ACCOUNT);

static struct dentry *debug_folder;

/**
 * tph_vfio_dma_buf_get() - the steering tag and processing hint for requests to a dma-buf
 * @dmabuf: the dma-buf, of any exporter
 * @extended: the importer's function sends 16-bit extended tags; else 8-bit ones
 * @tag: receives the steering tag of that width
 * @ph: receives the processing hint, 0..3
 *
 * Ask for each new mapping, in the same hold of the reservation lock: the answer is valid until the
 * next invalidate_mappings() of the attachment, or its unmapping. The tag means something to the
 * exporting function alone, so send it with requests to this mapping and no others. No tag is
 * no failure: the importer sends requests without one.
 *
 * Context: the dma-buf's reservation lock is held.
 * Return: 0; -EOPNOTSUPP if no tag of that width is valid. Nothing is written on error.
 */
int tph_vfio_dma_buf_get(struct dma_buf *dmabuf, bool extended, u16 *tag, u8 *ph)
{
	u32 wanted = extended ? VFIO_DMA_BUF_TPH_ST_EXT : VFIO_DMA_BUF_TPH_ST;
	const struct publication *publication;

	dma_resv_assert_held(dmabuf->resv);
	guard(rcu)();
	publication = xa_load(&publications, file_inode(dmabuf->file)->i_ino);
	if (!publication || publication->dmabuf != dmabuf || !(publication->flags & wanted))
		return -EOPNOTSUPP;
	*tag = extended ? publication->xst : publication->st;
	*ph = publication->ph;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(tph_vfio_dma_buf_get, "DMA_BUF");

static void withdraw(struct tph_dmabufs *dmabufs, struct publication *publication)
{
	lockdep_assert_held(&dmabufs->lock);
	hash_del(&publication->by_node);
	dmabufs->count--;
	xa_erase(&publications, publication->inode);
	kfree_rcu(publication, rcu);
}

/* Whether there was anything. */
static bool withdraw_all(struct tph_dmabufs *dmabufs)
{
	struct publication *publication;
	bool any = dmabufs->count;
	struct hlist_node *next;
	unsigned int bucket;

	hash_for_each_safe(dmabufs->by_node, bucket, next, publication, by_node)
		withdraw(dmabufs, publication);
	return any;
}

static struct publication *find(struct tph_dmabufs *dmabufs, const struct list_head *node)
{
	struct publication *publication;

	lockdep_assert_held(&dmabufs->lock);
	hash_for_each_possible(dmabufs->by_node, publication, by_node, (unsigned long)node)
		if (publication->node == node)
			return publication;
	return NULL;
}

/* Forget dma-bufs that are gone; those that vfio-pci-core lists are not. */
static void prune(struct tph_vdev *tph)
{
	struct tph_dmabufs *dmabufs = &tph->dmabufs;
	struct publication *publication;
	const struct list_head *node;
	struct hlist_node *next;
	unsigned int bucket;

	lockdep_assert_held(&tph->core.memory_lock);
	list_for_each(node, &tph->core.dmabufs) {
		publication = find(dmabufs, node);
		if (publication)
			publication->listed = true;
	}
	hash_for_each_safe(dmabufs->by_node, bucket, next, publication, by_node) {
		if (!publication->listed)
			withdraw(dmabufs, publication);
		else
			publication->listed = false;
	}
}

/*
 * The place of a dma-buf in vfio-pci-core's list of what the device exported, NULL if it is not of
 * this device; @listed receives the list's length. The structure with the list's node is the core's
 * own, but dmabuf->priv points to it, so a node that lies in that allocation is its node.
 */
static const struct list_head *place(struct tph_vdev *tph, const struct dma_buf *dmabuf,
				     u32 *listed)
{
	const struct list_head *node, *found = NULL;
	unsigned long start = (unsigned long)dmabuf->priv;
	unsigned long size = ksize(dmabuf->priv);

	lockdep_assert_held(&tph->core.memory_lock);
	*listed = 0;
	list_for_each(node, &tph->core.dmabufs) {
		++*listed;
		if ((unsigned long)node - start < size)
			found = node;
	}
	return found;
}

/* All or nothing; takes over *@fresh if it has to be kept. */
static int publish_locked(struct tph_vdev *tph, u32 listed, struct publication **fresh)
{
	struct tph_dmabufs *dmabufs = &tph->dmabufs;
	struct publication *new = *fresh, *old;
	int ret;

	lockdep_assert_held(&dmabufs->lock);
	if (dmabufs->forbidden)
		return -EPERM;

	/* a dma-buf that is gone leaves its place to another */
	old = find(dmabufs, new->node);
	if (old && old->inode != new->inode) {
		withdraw(dmabufs, old);
		old = NULL;
	}
	if (!new->flags) {
		if (old)
			withdraw(dmabufs, old);
		return 0;
	}
	if (old) {
		old->flags = new->flags;
		old->xst = new->xst;
		old->st = new->st;
		old->ph = new->ph;
		return 0;
	}

	/* So there are never more than the device had dma-bufs at one time. */
	if (dmabufs->count >= listed)
		prune(tph);
	if (dmabufs->count >= VFIO_DMA_BUF_TPH_MAX)
		return -ENOSPC;
	ret = xa_err(xa_store(&publications, new->inode, new, GFP_KERNEL_ACCOUNT));
	if (ret)
		return ret;
	hash_add(dmabufs->by_node, &new->by_node, (unsigned long)new->node);
	dmabufs->count++;
	*fresh = NULL;
	return 0;
}

static int publish(struct tph_vdev *tph, struct dma_buf *dmabuf,
		   const struct vfio_device_feature_dma_buf_tph *arg)
{
	struct publication *fresh;
	u32 listed;
	int ret;

	/* the name is the exporting module's, and only one module can have it */
	if (strcmp(dmabuf->exp_name, "vfio_pci_core"))
		return -EINVAL;

	fresh = kzalloc_obj(*fresh, GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return -ENOMEM;
	fresh->dmabuf = dmabuf;
	fresh->inode = file_inode(dmabuf->file)->i_ino;
	fresh->size = dmabuf->size;
	fresh->flags = arg->flags;
	fresh->xst = arg->flags & VFIO_DMA_BUF_TPH_ST_EXT ? arg->steering_tag_ext : 0;
	fresh->st = arg->flags & VFIO_DMA_BUF_TPH_ST ? arg->steering_tag : 0;
	fresh->ph = arg->ph;

	ret = down_read_interruptible(&tph->core.memory_lock);
	if (ret)
		goto out_free;
	fresh->node = place(tph, dmabuf, &listed);
	if (!fresh->node) {
		ret = -EINVAL;
		goto out_unlock_memory;
	}
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto out_unlock_memory;
	scoped_guard(mutex, &tph->dmabufs.lock)
		ret = publish_locked(tph, listed, &fresh);
	if (!ret)
		trace_tph_publish(tph->core.pdev, file_inode(dmabuf->file)->i_ino, arg);
	dma_resv_unlock(dmabuf->resv);

out_unlock_memory:
	up_read(&tph->core.memory_lock);
out_free:
	kfree(fresh);
	return ret;
}

/**
 * tph_dmabuf_feature() - VFIO_DEVICE_FEATURE_DMA_BUF_TPH
 * @tph: the device, open
 * @flags: feature number and operation
 * @arg: the payload in user memory
 * @argsz: its size in bytes
 *
 * Return: as include/uapi/linux/vfio_tph.h says.
 */
int tph_dmabuf_feature(struct tph_vdev *tph, u32 flags,
		       struct vfio_device_feature_dma_buf_tph __user *arg, size_t argsz)
{
	struct vfio_device_feature_dma_buf_tph tags;
	struct dma_buf *dmabuf;
	int ret;

	if (!tph_dmabuf_possible(tph))
		return -EOPNOTSUPP;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, sizeof(tags));
	if (ret < 0)
		return ret;
	if (!ret)
		return tph_dmabuf_allowed(tph) ? 0 : -EPERM;

	if (copy_from_user(&tags, arg, sizeof(tags)))
		return -EFAULT;
	if (tags.flags & ~FLAGS || tags.ph > PH_MAX)
		return -EINVAL;
	if (tags.flags & VFIO_DMA_BUF_TPH_ST_EXT && tph->completer != TPH_WIDTH_16)
		return -EOPNOTSUPP;

	dmabuf = dma_buf_get(tags.dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = publish(tph, dmabuf, &tags);
	/* not with memory_lock held: the last one to put it takes that for writing */
	dma_buf_put(dmabuf);
	return ret;
}

/**
 * tph_dmabuf_allow() - the operator's word on whether tags may be published
 * @tph: the device
 * @allowed: if not, what is published is so no more when this returns
 */
void tph_dmabuf_allow(struct tph_vdev *tph, bool allowed)
{
	bool withdrawn = false;

	scoped_guard(mutex, &tph->dmabufs.lock) {
		WRITE_ONCE(tph->dmabufs.forbidden, !allowed);
		if (!allowed)
			withdrawn = withdraw_all(&tph->dmabufs);
	}
	/* an importer may have just found one of them */
	if (withdrawn)
		synchronize_rcu();
}

/**
 * tph_dmabuf_allowed() - whether the operator lets tags be published
 * @tph: the device
 *
 * Return: true if so.
 */
bool tph_dmabuf_allowed(struct tph_vdev *tph)
{
	return !READ_ONCE(tph->dmabufs.forbidden);
}

static int dmabufs_show(struct seq_file *file, void *unused)
{
	struct tph_vdev *tph = file->private;
	struct publication *publication;
	unsigned int bucket;
	int ret;

	ret = down_read_interruptible(&tph->core.memory_lock);
	if (ret)
		return ret;
	mutex_lock(&tph->dmabufs.lock);
	prune(tph);
	hash_for_each(tph->dmabufs.by_node, bucket, publication, by_node) {
		seq_printf(file, "%lu size=%zu", publication->inode, publication->size);
		if (publication->flags & VFIO_DMA_BUF_TPH_ST)
			seq_printf(file, " st=%#04x", publication->st);
		if (publication->flags & VFIO_DMA_BUF_TPH_ST_EXT)
			seq_printf(file, " xst=%#06x", publication->xst);
		seq_printf(file, " ph=%u\n", publication->ph);
	}
	mutex_unlock(&tph->dmabufs.lock);
	up_read(&tph->core.memory_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dmabufs);

/**
 * tph_dmabuf_init() - prepare a device
 * @tph: the device
 */
void tph_dmabuf_init(struct tph_vdev *tph)
{
	mutex_init(&tph->dmabufs.lock);
	hash_init(tph->dmabufs.by_node);
}

/**
 * tph_dmabuf_release() - undo tph_dmabuf_init()
 * @tph: the device
 */
void tph_dmabuf_release(struct tph_vdev *tph)
{
	mutex_destroy(&tph->dmabufs.lock);
}

/**
 * tph_dmabuf_open() - show what is published
 * @tph: the device
 */
void tph_dmabuf_open(struct tph_vdev *tph)
{
	if (tph_dmabuf_possible(tph))
		tph->dmabufs.debug = debugfs_create_file(pci_name(tph->core.pdev), 0400,
							 debug_folder, tph, &dmabufs_fops);
}

/**
 * tph_dmabuf_close() - nothing stays published
 * @tph: the device; its user is gone
 *
 * Importers that still map a dma-buf of it lose the mapping when vfio-pci-core closes the device.
 */
void tph_dmabuf_close(struct tph_vdev *tph)
{
	debugfs_remove(tph->dmabufs.debug);
	tph->dmabufs.debug = NULL;
	guard(mutex)(&tph->dmabufs.lock);
	withdraw_all(&tph->dmabufs);
}

/**
 * tph_dmabuf_module_init() - prepare for devices
 */
void tph_dmabuf_module_init(void)
{
	debug_folder = debugfs_create_dir("tph-vfio-pci", NULL);
}

/**
 * tph_dmabuf_module_exit() - undo tph_dmabuf_module_init(), without devices
 */
void tph_dmabuf_module_exit(void)
{
	debugfs_remove(debug_folder);
}

MODULE_IMPORT_NS("DMA_BUF");
