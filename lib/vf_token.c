// SPDX-License-Identifier: MIT
/* RFC 9562, 4: five groups of hex digits, whose bytes the kernel takes in that order. */
#include <errno.h>
#include <stdbool.h>

#include "vf_token.h"

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Whether a group of digits ends before byte @i. */
static bool group_ends(int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

int tph_vf_token_parse(const char *text, uint8_t token[TPH_VF_TOKEN_SIZE])
{
	for (int i = 0; i < TPH_VF_TOKEN_SIZE; i++) {
		int high, low;

		if (group_ends(i) && *text++ != '-')
			return -EINVAL;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		token[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text ? -EINVAL : 0;
}

void tph_vf_token_print(const uint8_t token[TPH_VF_TOKEN_SIZE], char text[TPH_VF_TOKEN_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < TPH_VF_TOKEN_SIZE; i++) {
		if (group_ends(i))
			*text++ = '-';
		*text++ = digits[token[i] >> 4];
		*text++ = digits[token[i] & 0xf];
	}
	*text = '\0';
}
