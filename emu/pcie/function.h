/* SPDX-License-Identifier: MIT */
/* What a function is, in the words of tph_emu.h. */
#ifndef EMU_FUNCTION_H
#define EMU_FUNCTION_H

#include <tph_emu.h>

#include "knobs.h"

/** function_describe() - as keys have it. */
struct tph_emu_function function_describe(const struct knobs *knobs);

#endif /* EMU_FUNCTION_H */
