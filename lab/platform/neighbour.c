// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab's neighbour: a driver for another function (device id 0x7451) of an endpoint under test,
 * that says how error recovery goes on below their root port. Linux asks function after function,
 * so while this one keeps it waiting, those before it have been told and nothing was reset yet.
 *
 * It leaves the function alone, so VFIO takes the others of its group nevertheless.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/wait.h>

static DECLARE_WAIT_QUEUE_HEAD(waiters);

static bool wait;

static int wait_set(const char *text, const struct kernel_param *parameter)
{
	int ret = param_set_bool(text, parameter);

	wake_up_all(&waiters);
	return ret;
}

static const struct kernel_param_ops wait_ops = {
	.set = wait_set,
	.get = param_get_bool,
};

module_param_cb(wait, &wait_ops, &wait, 0644);
MODULE_PARM_DESC(wait, "Keep recovery waiting for as long as this is set");

static bool need_reset;
module_param(need_reset, bool, 0644);
MODULE_PARM_DESC(need_reset, "Ask for a reset, whatever the error");

static bool no_bus_reset;
module_param(no_bus_reset, bool, 0644);
MODULE_PARM_DESC(no_bus_reset, "Be a function that does not survive a bus reset, so none is made");

static unsigned int failures;
module_param(failures, uint, 0444);
MODULE_PARM_DESC(failures, "How often Linux told of a recovery that has failed");

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

static pci_ers_result_t error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	wait_event(waiters, !READ_ONCE(wait));
	if (state == pci_channel_io_perm_failure)
		failures++;
	if (no_bus_reset)
		pdev->dev_flags |= PCI_DEV_FLAGS_NO_BUS_RESET;
	else
		pdev->dev_flags &= ~PCI_DEV_FLAGS_NO_BUS_RESET;
	return need_reset ? PCI_ERS_RESULT_NEED_RESET : PCI_ERS_RESULT_CAN_RECOVER;
}

static pci_ers_result_t slot_reset(struct pci_dev *pdev)
{
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers error_handlers = {
	.error_detected = error_detected,
	.slot_reset = slot_reset,
};

static const struct pci_device_id id_table[] = {
	{ PCI_DEVICE(0x1234, 0x7451) },
	{}
};

static struct pci_driver neighbour_driver = {
	.name = "tph-lab-neighbour",
	.id_table = id_table,
	.probe = probe,
	.err_handler = &error_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(neighbour_driver);

MODULE_DESCRIPTION("Error recovery on order, for the vfio-tph lab");
MODULE_LICENSE("GPL");
