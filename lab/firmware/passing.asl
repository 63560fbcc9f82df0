// SPDX-License-Identifier: MIT
//
// Firmware whose errors pass, or do not. Tags count as those of counting.asl do.
//
//   uid 1   the first answer has 4 bytes, where 8 are specified; later ones are right
//   uid 2   no answer is right
//   others  as it should be
//
DefinitionBlock ("", "SSDT", 2, "TPHLAB", "PASSING", 1)
{
	External (\_SB.PCI0, DeviceObj)

	Scope (\_SB.PCI0)
	{
		Name (ASKD, 0)
		Name (FAIL, 0)

		Method (_DSM, 4, Serialized)
		{
			If (Arg0 != ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d"))
			{
				Return (Buffer (1) { 0x00 })
			}
			If (Arg2 == 0)
			{
				Return (Buffer (2) { 0x01, 0x80 })
			}
			If (Arg2 != 0x0F)
			{
				Return (Buffer (1) { 0x00 })
			}

			ASKD++
			Local0 = ToInteger (DerefOf (Arg3 [1]))
			If (Local0 == 2)
			{
				Return (Buffer (4) { 0x03, 0, 0, 0 })
			}
			If ((Local0 == 1) && (FAIL == 0))
			{
				FAIL = 1
				Return (Buffer (4) { 0x03, 0, 0, 0 })
			}
			Local1 = Buffer (8) { 0x03, 0, 0, 0, 0x03, 0, 0, 0 }
			CreateByteField (Local1, 1, VST8)
			CreateWordField (Local1, 2, VSTX)
			CreateByteField (Local1, 5, PST8)
			CreateWordField (Local1, 6, PSTX)
			VST8 = ASKD
			VSTX = ASKD
			PST8 = ASKD
			PSTX = ASKD
			Return (Local1)
		}
	}
}
