/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/bitfield.h>

#ifndef FIELD_MODIFY
#define FIELD_MODIFY(mask, reg, value)	(*(reg) = (*(reg) & ~(mask)) | FIELD_PREP(mask, value))
#endif
