// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host gives to a VM that is restored: /dev/lab-stage has the bytes of QEMU's firmware
 * configuration item opt/vfio-tph/stage, which belongs to the QEMU that runs and not to the saved VM.
 * Linux' own driver for these items reads a byte at a time; this one lets QEMU copy (the interface is
 * described in QEMU's docs/specs/fw_cfg.rst).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/fs.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define ITEM		"opt/vfio-tph/stage"

/* the upper half of an address, big endian; writing the lower half starts the copy */
#define PORT_HIGH	0x514
#define PORT_LOW	0x518
#define SIGNATURE	0x51454d55	/* "QEMU" */

#define ITEM_DIRECTORY	0x19
#define CONTROL_READ	BIT(1)
#define CONTROL_SKIP	BIT(2)
#define CONTROL_SELECT	BIT(3)

#define BUFFER_SIZE	65536

struct request {
	__be32 control;
	__be32 length;
	__be64 address;
};

struct entry {
	__be32 size;
	__be16 item;
	__be16 reserved;
	char name[56];
};

/* All below is guarded by this. */
static DEFINE_MUTEX(lock);
static struct request *request;
static void *buffer;

static int copy(u32 control, u32 length)
{
	phys_addr_t address = virt_to_phys(request);

	request->control = cpu_to_be32(control);
	request->length = cpu_to_be32(length);
	request->address = cpu_to_be64(virt_to_phys(buffer));
	/* The request is written before QEMU looks at it, and what it wrote is read after. */
	mb();
	outl((__force u32)cpu_to_be32(upper_32_bits(address)), PORT_HIGH);
	outl((__force u32)cpu_to_be32(lower_32_bits(address)), PORT_LOW);
	mb();
	/* QEMU has done all of it before it lets this CPU go on */
	return READ_ONCE(request->control) ? -EIO : 0;
}

/* item_read() - @length bytes at @offset of an item into the buffer */
static int item_read(u16 item, u32 offset, u32 length)
{
	int ret = copy((u32)item << 16 | CONTROL_SELECT | CONTROL_SKIP, offset);

	return ret ?: copy(CONTROL_READ, length);
}

static int item_find(struct entry *found)
{
	u32 count, i;
	int ret;

	ret = item_read(ITEM_DIRECTORY, 0, sizeof(__be32));
	if (ret)
		return ret;
	count = be32_to_cpu(*(__be32 *)buffer);
	for (i = 0; i < count; i++) {
		ret = item_read(ITEM_DIRECTORY, sizeof(__be32) + i * sizeof(*found),
				sizeof(*found));
		if (ret)
			return ret;
		memcpy(found, buffer, sizeof(*found));
		if (!strncmp(found->name, ITEM, sizeof(found->name)))
			return 0;
	}
	return -ENOENT;
}

/* It is found anew by each read: it is another one after the VM was restored. */
static ssize_t stage_read(struct file *file, char __user *to, size_t count, loff_t *position)
{
	struct entry entry;
	u32 size;
	int ret;

	guard(mutex)(&lock);
	ret = item_find(&entry);
	if (ret)
		return ret;
	size = be32_to_cpu(entry.size);
	if (*position >= size)
		return 0;
	count = min3(count, (size_t)(size - *position), (size_t)BUFFER_SIZE);
	ret = item_read(be16_to_cpu(entry.item), *position, count);
	if (ret)
		return ret;
	if (copy_to_user(to, buffer, count))
		return -EFAULT;
	*position += count;
	return count;
}

static const struct file_operations stage_fops = {
	.owner = THIS_MODULE,
	.read = stage_read,
};

static struct miscdevice stage_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "lab-stage",
	.fops = &stage_fops,
	.mode = 0400,
};

static int __init stage_init(void)
{
	int ret = -ENOMEM;

	if (be32_to_cpu((__force __be32)inl(PORT_HIGH)) != SIGNATURE) {
		pr_err("QEMU has no firmware configuration that copies\n");
		return -ENODEV;
	}
	request = kzalloc(sizeof(*request), GFP_KERNEL);
	buffer = kmalloc(BUFFER_SIZE, GFP_KERNEL);
	if (request && buffer)
		ret = misc_register(&stage_misc);
	if (ret) {
		kfree(buffer);
		kfree(request);
	}
	return ret;
}
module_init(stage_init);

static void __exit stage_exit(void)
{
	misc_deregister(&stage_misc);
	kfree(buffer);
	kfree(request);
}
module_exit(stage_exit);

MODULE_DESCRIPTION("What the host gives to a restored VM of the vfio-tph lab");
MODULE_LICENSE("GPL");
