// SPDX-License-Identifier: MIT
#include "model.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "pcie/requester.h"

#define SYMBOL	       "tph_emu_model"
#define STATE_SIZE_MAX (256u << 20)

static const void *refuse(char **error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static const void *refuse(char **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(error, format, args) < 0)
		abort();
	va_end(args);
	return NULL;
}

/* A name without a slash is not one to be looked for where libraries are. */
static void *open_path(const char *path)
{
	char *here = NULL;
	void *object;

	if (!strchr(path, '/') && asprintf(&here, "./%s", path) < 0)
		abort();
	object = dlopen(here ? here : path, RTLD_NOW | RTLD_LOCAL);
	free(here);
	return object;
}

static const struct tph_emu_model *check_keys(const struct tph_emu_model *model, char **error)
{
	for (size_t i = 0; model->keys && model->keys[i]; i++) {
		if (i == KEYS_MODEL_MAX)
			return refuse(error, "it has more than %u keys", KEYS_MODEL_MAX);
		if (!*model->keys[i] || strpbrk(model->keys[i], "=,"))
			return refuse(error, "its key %zu is empty, or has a comma or = in it", i);
		if (keys_has(model->keys[i]))
			return refuse(error, "its key %s is one that every function has",
				      model->keys[i]);
	}
	if (model->keys && !model->set)
		return refuse(error, "it has keys, and no set()");
	return model;
}

static const struct tph_emu_model *check(const struct tph_emu_model *model, char **error)
{
	if (!model->version || model->version > TPH_EMU_INTERFACE)
		return refuse(error,
			      "it is for version %u of tph_emu.h, and this tph-emu has version %u",
			      model->version, TPH_EMU_INTERFACE);
	if (model->size < sizeof(*model))
		return refuse(error, "its size is %u, and struct tph_emu_model has %zu bytes",
			      model->size, sizeof(*model));
	if (!model->name || !*model->name)
		return refuse(error, "it has no name");
	if (!model->bar_read || !model->bar_write)
		return refuse(error, "it lacks bar_read() or bar_write()");
	if (!model->engines || model->engines > REQUESTER_ENGINES_MAX)
		return refuse(error, "it has %u engines, and 1 to %u are possible", model->engines,
			      REQUESTER_ENGINES_MAX);
	if (model->state_size > STATE_SIZE_MAX)
		return refuse(error, "its state has %zu bytes, and up to %u are possible",
			      model->state_size, STATE_SIZE_MAX);
	return check_keys(model, error);
}

const struct tph_emu_model *model_load(const char *path, char **error)
{
	const struct tph_emu_model *model;
	void *object = open_path(path);

	if (!object)
		return refuse(error, "%s", dlerror());
	model = dlsym(object, SYMBOL);
	if (!model)
		return refuse(error, "it defines no %s", SYMBOL);
	return check(model, error);
}
