// SPDX-License-Identifier: MIT
//
// Steering tags for a guest's CPUs: the host bridge's _DSM, function 0xF, "Query Cache Locality TPH
// Features" (PCI Firmware Specification ECN). A CPU's tag is its processor uid + 1, of 16 bits and,
// as far as that goes, of 8. It means something to the host's tph-vfio-pci alone, which puts the tag
// of a host CPU in its place (VFIO_DEVICE_FEATURE_TPH_GUEST); 0 is no tag. None is for persistent
// memory.
//
//	iasl tags.asl
//	qemu-system-x86_64 -M q35 -acpitable file=tags.aml ...
//
// For the bridge that QEMU calls pci.0 or pcie.0. One that pxb-pcie makes has a device of its own
// below \_SB, and needs the method there. On Arm's virt machine that bridge has a _DSM already, and a
// second definition is dropped.
//
DefinitionBlock ("", "SSDT", 2, "VFIOTP", "GUESTTAG", 1)
{
	External (\_SB.PCI0, DeviceObj)

	Scope (\_SB.PCI0)
	{
		Method (_DSM, 4, Serialized)
		{
			If (Arg0 != ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
			{
				Return (Buffer (1) { 0x00 })
			}
			If (Arg2 == 0)
			{
				// Functions 0 and 0xF are there.
				Return (Buffer (2) { 0x01, 0x80 })
			}
			If (Arg2 != 0x0F)
			{
				Return (Buffer (1) { 0x00 })
			}

			// Arg3: { feature, processor uid, properties }; feature 0: CPU caches
			If (DerefOf (Arg3 [0]) != 0)
			{
				Return (Buffer (1) { 0x00 })
			}
			Local0 = DerefOf (Arg3 [1]) + 1
			Local1 = Buffer (8) {}
			CreateByteField (Local1, 0, VVAL)
			CreateByteField (Local1, 1, VST8)
			CreateWordField (Local1, 2, VSTX)

			VSTX = Local0
			VVAL = 0x02
			If (Local0 <= 0xFF)
			{
				VST8 = Local0
				VVAL = 0x03
			}
			Return (Local1)
		}
	}
}
