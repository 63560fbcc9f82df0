/* SPDX-License-Identifier: MIT */
/* VF tokens: what the users of a PF and of its VFs through VFIO know each other by. */
#ifndef TPH_VF_TOKEN_H
#define TPH_VF_TOKEN_H

#include <stdint.h>

/* bytes of a UUID, and its text with the terminating zero */
#define TPH_VF_TOKEN_SIZE	16
#define TPH_VF_TOKEN_TEXT	37

/** tph_vf_token_parse() - Return: 0; -EINVAL: @text is no UUID. */
int tph_vf_token_parse(const char *text, uint8_t token[TPH_VF_TOKEN_SIZE]);

/** tph_vf_token_print() - the one way to write it that every kernel reads. */
void tph_vf_token_print(const uint8_t token[TPH_VF_TOKEN_SIZE], char text[TPH_VF_TOKEN_TEXT]);

#endif /* TPH_VF_TOKEN_H */
