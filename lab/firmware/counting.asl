// SPDX-License-Identifier: MIT
//
// Firmware that counts: the N-th evaluation of function 0xF answers tag N, whichever processor is
// asked for. A driver that asks again is seen by the tag. The 16-bit tag for persistent memory is the
// number of evaluations of any function, function 0 included.
//
DefinitionBlock ("", "SSDT", 2, "TPHLAB", "COUNTING", 1)
{
	External (\_SB.PCI0, DeviceObj)

	Scope (\_SB.PCI0)
	{
		Name (ASKD, 0)
		Name (EVAL, 0)

		Method (_DSM, 4, Serialized)
		{
			If (Arg0 != ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
			{
				Return (Buffer (1) { 0x00 })
			}
			EVAL++
			If (Arg2 == 0)
			{
				Return (Buffer (2) { 0x01, 0x80 })
			}
			If (Arg2 != 0x0F)
			{
				Return (Buffer (1) { 0x00 })
			}

			ASKD++
			Local1 = Buffer (8) { 0x03, 0, 0, 0, 0x03, 0, 0, 0 }
			CreateByteField (Local1, 1, VST8)
			CreateWordField (Local1, 2, VSTX)
			CreateByteField (Local1, 5, PST8)
			CreateWordField (Local1, 6, PSTX)
			VST8 = ASKD
			VSTX = ASKD
			PST8 = ASKD
			PSTX = EVAL
			Return (Local1)
		}
	}
}
