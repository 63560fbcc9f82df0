// SPDX-License-Identifier: GPL-2.0-only
/* Signals that ask a command to end: see interruption.h. */
#include <signal.h>
#include <time.h>

#include "interruption.h"

static sigset_t before;

static void fill(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void interruption_hold(void)
{
	sigset_t set;

	fill(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
}

int interruption_seen(void)
{
	const struct timespec now = { 0 };
	sigset_t set;
	int number;

	fill(&set);
	number = sigtimedwait(&set, NULL, &now);
	return number < 0 ? 0 : number;
}

void interruption_release(void)
{
	sigprocmask(SIG_SETMASK, &before, NULL);
}
