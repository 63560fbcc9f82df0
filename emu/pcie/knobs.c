// SPDX-License-Identifier: MIT
#include "knobs.h"

#include <stdlib.h>

/* BAR 0 has 32 bits, the others two by two 64. */
bool knobs_msix_bar_is_wide(const struct knobs *knobs)
{
	return knobs->msix_bar != REGISTERS_BAR && knobs->msix_bar % 2 == 0;
}

void knobs_free(struct knobs *knobs)
{
	free(knobs->socket);
	free(knobs->name);
	free(knobs->sent);
	knobs->socket = knobs->name = knobs->sent = NULL;
	if (knobs->model_state && knobs->model->free)
		knobs->model->free(knobs->model_state);
	free(knobs->model_state);
	knobs->model_state = NULL;
}
