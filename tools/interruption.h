/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signals that ask a command to end (INT, TERM, HUP), while it is halfway: they are held back, and
 * looked for where it can undo what it has done. One that the caller ignores stays ignored.
 */
#ifndef INTERRUPTION_H
#define INTERRUPTION_H

/** interruption_hold() - from here on they wait. */
void interruption_hold(void);

/** interruption_seen() - the signal that came, which is forgotten then; 0: none. */
int interruption_seen(void);

/** interruption_release() - one that comes now, or waits still, ends the process. */
void interruption_release(void);

#endif /* INTERRUPTION_H */
