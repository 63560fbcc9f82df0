/* SPDX-License-Identifier: GPL-2.0-only */
/* How list and show write what they have in common. */
#ifndef VIEW_H
#define VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "sysfs.h"
#include "tph.h"

#define VIEW_MODES_SIZE	32
#define VIEW_NARROW_SIZE	96
#define VIEW_CLAIM_SIZE		64

const char *view_modes(uint32_t modes, const char *separator, char text[VIEW_MODES_SIZE]);
const char *view_root_port(const char *sysfs, const struct pci_function *function,
			   enum tph_width *width);
bool view_narrow(const char *sysfs, const struct pci_function *function,
		 char text[VIEW_NARROW_SIZE]);
bool view_in_slot(const char *sysfs, const struct pci_function *function);
const char *view_claim(const struct tph_capability *capability, char text[VIEW_CLAIM_SIZE]);
void view_claim_json(const struct tph_capability *capability, struct json_object *object);
const char *view_found_on(const struct pci_function *function,
			  const struct tph_capability *capability);
const char *view_completer(enum tph_width width);
const char *view_table(enum tph_table table);
struct json_object *view_modes_json(uint32_t modes);
struct json_object *view_width_json(enum tph_width width);

#endif /* VIEW_H */
