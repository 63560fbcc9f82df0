/* SPDX-License-Identifier: MIT */
/*
 * What every proof includes. A proof is a program that CBMC runs with every value of nondet_*() and
 * every way through it at once.
 */
#ifndef PROOF_H
#define PROOF_H

#include <linux/types.h>

bool nondet_bool(void);
u8 nondet_u8(void);
u16 nondet_u16(void);
u32 nondet_u32(void);
u64 nondet_u64(void);

/*
 * PROVE() is what is proved, by the name that the runner prints and the mutants are listed under.
 * The sentence is the comment at its use.
 */
#define PROVE(name, condition)	__CPROVER_assert(condition, name)
#define ASSUME(condition)	__CPROVER_assume(condition)
/* That it gets here at all: the runner sees to it that this fails. */
#define REACHED(name)		__CPROVER_assert(false, "reached: " name)

#endif
