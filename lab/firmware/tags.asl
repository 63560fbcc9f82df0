// SPDX-License-Identifier: MIT
//
// Steering tags as a platform's firmware gives them out: the host bridge's _DSM, function 0xF,
// "Query Cache Locality TPH Features" (PCI Firmware Specification ECN). For processor uid U:
//
//                    8-bit       16-bit
//   volatile         0x10 + U    0x1100 + U
//   persistent       0x40 + U    0x4400 + U
//
// All four differ, so that a test sees which one was taken. For uid 3 none is valid, though the
// bytes of the tags are there: a driver that does not look at the valid bits is caught.
//
DefinitionBlock ("", "SSDT", 2, "TPHLAB", "TAGS", 1)
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
			Local0 = DerefOf (Arg3 [1])
			Local1 = Buffer (8) {}
			CreateByteField (Local1, 0, VVAL)
			CreateByteField (Local1, 1, VST8)
			CreateWordField (Local1, 2, VSTX)
			CreateByteField (Local1, 4, PVAL)
			CreateByteField (Local1, 5, PST8)
			CreateWordField (Local1, 6, PSTX)

			VST8 = Local0 + 0x10
			VSTX = Local0 + 0x1100
			PST8 = Local0 + 0x40
			PSTX = Local0 + 0x4400
			If (Local0 != 3)
			{
				VVAL = 0x03
				PVAL = 0x03
			}
			Return (Local1)
		}
	}
}
