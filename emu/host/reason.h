/* SPDX-License-Identifier: MIT */
/* Why something that the user asked for cannot be, for a message. */
#ifndef EMU_REASON_H
#define EMU_REASON_H

/**
 * reason_give() - put the reason together
 * @reason: receives it, to be freed by the caller
 *
 * Return: -1.
 */
int reason_give(char **reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* EMU_REASON_H */
