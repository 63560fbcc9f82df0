/* SPDX-License-Identifier: MIT */
/* What every test of the emulator includes. */
#ifndef TESTS_EMU_HARNESS_H
#define TESTS_EMU_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif /* TESTS_EMU_HARNESS_H */
