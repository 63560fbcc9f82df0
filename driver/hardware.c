// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/msi.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

static struct tph_vdev *table_to_vdev(struct tph_table *table)
{
	return container_of(table, struct tph_vdev, table);
}

/* ENODEV would be a function that is gone, but users know it as firmware's "no such CPU". */
static int access_error(int pcibios)
{
	return pcibios == PCIBIOS_SUCCESSFUL ? 0 : -EIO;
}

static int config_read(struct tph_table *table, u16 offset, u32 *value)
{
	struct tph_vdev *tph = table_to_vdev(table);

	lockdep_assert_held(&tph->lock);
	return access_error(pci_read_config_dword(tph->core.pdev, offset, value));
}

static int config_write(struct tph_table *table, u16 offset, u8 bytes, u32 value)
{
	struct tph_vdev *tph = table_to_vdev(table);
	int ret;

	lockdep_assert_held(&tph->lock);
	if (bytes == 2)
		ret = pci_write_config_word(tph->core.pdev, offset, value);
	else
		ret = pci_write_config_dword(tph->core.pdev, offset, value);
	ret = access_error(ret);
	trace_tph_apply(tph->core.pdev, offset, bytes, value, ret);
	return ret;
}

static int ready(struct tph_table *table)
{
	struct tph_vdev *tph = table_to_vdev(table);
	struct pci_dev *pdev = tph->core.pdev;
	u16 command;

	if (tph->cap.place != TPH_PLACE_MSIX)
		return 0;
	if (!tph->msix_table)
		return -EIO;
	/* the register itself: a reset calls in where vfio-pci-core's view of it is not stable */
	if (pdev->current_state != PCI_D0 || pci_read_config_word(pdev, PCI_COMMAND, &command) ||
	    PCI_POSSIBLE_ERROR(command))
		return -EIO;
	return command & PCI_COMMAND_MEMORY || pdev->no_command_memory ? 0 : -EIO;
}

/*
 * An entry whose vector is not allocated gets no tag: it may still hold that of a former one, for
 * the MSI core leaves it there. The ledger keeps the entry's tag until the vector comes.
 */
static int scrub_raw(struct tph_vdev *tph, u16 index)
{
	void __iomem *control = tph->msix_table + index * PCI_MSIX_ENTRY_SIZE +
				PCI_MSIX_ENTRY_VECTOR_CTRL;
	u32 value = readl(control);

	/* each further one would cost another timeout, with the lock held */
	if (PCI_POSSIBLE_ERROR(value))
		return -EIO;
	if (!(value & PCI_MSIX_ENTRY_CTRL_ST))
		return 0;
	writel(value & ~PCI_MSIX_ENTRY_CTRL_ST, control);
	return PCI_POSSIBLE_ERROR(readl(control)) ? -EIO : 0;
}

/*
 * The MSI core keeps a copy of an allocated entry's control word and writes it whole when it masks
 * or unmasks. So change the copy, under the locks that keep the MSI core away, and write it out.
 * Vectors cannot go meanwhile: VFIO_DEVICE_SET_IRQS holds the table (steering.c). Reading it back
 * flushes the write: a tag that was taken back is gone when whoever took it is told so.
 */
static int write_vector(struct tph_table *table, u16 index, u16 tag)
{
	struct tph_vdev *tph = table_to_vdev(table);
	struct pci_dev *pdev = tph->core.pdev;
	struct irq_data *data = NULL;
	void __iomem *control;
	struct msi_desc *desc;
	int virq;

	/* or the user switches memory off between ready() and here */
	lockdep_assert_held(&tph->core.memory_lock);
	lockdep_assert_held(&tph->lock);
	if (pdev->msix_enabled) {
		virq = pci_irq_vector(pdev, index);
		if (virq > 0)
			data = irq_get_irq_data(virq);
	}
	if (!data)
		return scrub_raw(tph, index);
	trace_tph_apply(pdev, index, 0, tag, 0);

	guard(msi_descs_lock)(&pdev->dev);
	guard(raw_spinlock_irq)(&irq_data_to_desc(data)->lock);
	desc = irq_data_get_msi_desc(data);
	if (!desc || desc->pci.msi_attrib.is_virtual)
		return -ENXIO;
	FIELD_MODIFY(PCI_MSIX_ENTRY_CTRL_ST, &desc->pci.msix_ctrl, tag);
	control = desc->pci.mask_base + desc->msi_index * PCI_MSIX_ENTRY_SIZE +
		  PCI_MSIX_ENTRY_VECTOR_CTRL;
	writel(desc->pci.msix_ctrl, control);
	return PCI_POSSIBLE_ERROR(readl(control)) ? -EIO : 0;
}

const struct tph_table_ops tph_hardware_ops = {
	.read = config_read,
	.write = config_write,
	.write_vector = write_vector,
	.ready = ready,
};

/**
 * tph_hardware_open() - map what hardware accesses need beside configuration space
 * @tph: the device, enabled
 *
 * Return: 0 or -ENOMEM.
 */
int tph_hardware_open(struct tph_vdev *tph)
{
	const struct tph_msix *msix = &tph->msix;
	void __iomem *table;

	if (tph->cap.place != TPH_PLACE_MSIX)
		return 0;
	table = ioremap(pci_resource_start(tph->core.pdev, msix->table_bar) + msix->table.start,
			msix->table.end - msix->table.start);
	if (!table)
		return -ENOMEM;
	/* who looks at it without memory_lock (clean() in steering.c) has the lock */
	scoped_guard(mutex, &tph->lock)
		tph->msix_table = table;
	return 0;
}

/**
 * tph_hardware_close() - undo tph_hardware_open()
 * @tph: the device
 */
void tph_hardware_close(struct tph_vdev *tph)
{
	void __iomem *table = tph->msix_table;

	scoped_guard(mutex, &tph->lock)
		tph->msix_table = NULL;
	if (table)
		iounmap(table);
}
