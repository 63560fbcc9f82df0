// SPDX-License-Identifier: MIT
//
// Firmware that answers wrongly. The tags are those of tags.asl.
//
//   uid 0   as it should be
//   uid 1   a buffer of 4 bytes, where 8 are specified
//   uid 2   a string, whose bytes would be tags, and valid
//   uid 3   only the 8-bit tag for volatile memory is valid
//
DefinitionBlock ("", "SSDT", 2, "TPHLAB", "MALFORM", 1)
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
			If (DerefOf (Arg3 [0]) != 0)
			{
				Return (Buffer (1) { 0x00 })
			}

			Switch (ToInteger (DerefOf (Arg3 [1])))
			{
				Case (0)
				{
					Return (Buffer (8) {
						0x03, 0x10, 0x00, 0x11, 0x03, 0x40, 0x00, 0x44 })
				}
				Case (1)
				{
					Return (Buffer (4) { 0x03, 0x11, 0x01, 0x11 })
				}
				Case (2)
				{
					Return ("steering tags")
				}
				Case (3)
				{
					Return (Buffer (8) {
						0x01, 0x13, 0x03, 0x11, 0x00, 0x43, 0x03, 0x44 })
				}
			}
			Return (Buffer (1) { 0x00 })
		}
	}
}
