/* SPDX-License-Identifier: MIT */
/* Models that are not built in: shared objects, as include/tph_emu.h has them. */
#ifndef EMU_MODEL_H
#define EMU_MODEL_H

#include <tph_emu.h>

/**
 * model_load() - load a model, for good
 * @path: of the shared object
 * @error: receives what is wrong, to be freed by the caller
 *
 * Return: the model, or NULL with @error set.
 */
const struct tph_emu_model *model_load(const char *path, char **error);

#endif /* EMU_MODEL_H */
