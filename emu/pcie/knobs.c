// SPDX-License-Identifier: MIT
#include "knobs.h"

#include <stdlib.h>

void knobs_free(struct knobs *knobs)
{
	free(knobs->socket);
	free(knobs->name);
	free(knobs->sent);
	knobs->socket = knobs->name = knobs->sent = NULL;
	free(knobs->profile);
	knobs->profile = NULL;
	if (knobs->model_state && knobs->model->free)
		knobs->model->free(knobs->model_state);
	free(knobs->model_state);
	knobs->model_state = NULL;
}
