/* SPDX-License-Identifier: MIT */
/* How a harness says that a rule is broken, and what the fuzzer or replay.c calls. */
#ifndef FUZZ_VERDICT_H
#define FUZZ_VERDICT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* must() - @condition is a rule; the rest says, as printf() does, which one and what broke it */
#define must(condition, ...) do {						\
	if (!(condition)) {							\
		fprintf(stderr, "%s:%d: rule broken: ", __FILE__, __LINE__);	\
		fprintf(stderr, __VA_ARGS__);					\
		fputc('\n', stderr);						\
		abort();							\
	}									\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
