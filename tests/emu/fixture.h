/* SPDX-License-Identifier: MIT */
/* An endpoint with memory, a log and interrupts, without a client: tests are its software. */
#ifndef TESTS_EMU_FIXTURE_H
#define TESTS_EMU_FIXTURE_H

#include "harness.h"

#include <stdbool.h>

#include <json-c/json.h>

#include "endpoint_regs.h"
#include "keys.h"
#include "models/exerciser.h"
#include "pcie/endpoint.h"

#define MEMORY_IOVA    0x100000u
#define MEMORY_SIZE    0x200000u
#define PROTECTED_IOVA 0x800000u /* one page, read only */
#define OTHER_VECTOR   5u	 /* beside vector 0, the one with an eventfd */

/* configuration space */
#define COMMAND		  0x04
#define STATUS		  0x06
#define POWER		  0x44
#define MSIX_CONTROL	  0x52
#define DEVICE_CONTROL	  0x68
#define DEVICE_STATUS	  0x6a
#define LINK_CONTROL	  0x70
#define AF		  0xa0
#define AF_CONTROL	  0xa4
#define AER		  0xfb8
#define TPH		  0x110
#define TPH_CONTROL	  (TPH + 8)
#define TPH_TABLE	  (TPH + 12)
#define MEMORY_AND_MASTER 0x0006
#define MASTER_ABORT	  0x2000 /* in STATUS */
#define ENABLE_16	  0x301	 /* in TPH_CONTROL: Interrupt Vector mode, extended tags */
#define ENABLE_16_DEVICE_SPECIFIC 0x302

/** struct fixture - @eventfd: of vectors 0 and OTHER_VECTOR, as far as there are any */
struct fixture {
	struct endpoint endpoint;
	struct log log;
	int memory_fd;
	uint8_t *memory;
	int eventfd;
};

/** fixture_setup() - for cmocka: an endpoint with the keys' defaults. Return: 0 or -1. */
int fixture_setup(void **state);

/** fixture_teardown() - for cmocka: free it. */
int fixture_teardown(void **state);

/** remake() - another endpoint, with these keys beside socket, name and rid. */
void remake(struct fixture *f, const char *keys);

/** config_in() - read 1 to 4 bytes of configuration space. */
uint32_t config_in(struct fixture *f, size_t at, size_t width);

/** config_out() - write 1 to 4 bytes of it. */
void config_out(struct fixture *f, size_t at, size_t width, uint32_t value);

/** reg() - read a register of BAR 0. */
uint32_t reg(struct fixture *f, size_t at);

/** reg_set() - write one. */
void reg_set(struct fixture *f, size_t at, uint32_t value);

/** signalled() - interrupts since the last call. */
uint64_t signalled(struct fixture *f);

/** slot() - the record of TLP @i that was sent. */
const uint32_t *slot(struct fixture *f, uint32_t i);

/** last_event() - last line of the log with that event, to be freed; NULL if there is none. */
struct json_object *last_event(struct fixture *f, const char *event);

/** assert_field() - a line has a field with that value. */
void assert_field(struct json_object *line, const char *key, const char *value);

/** assert_no_field() - a line lacks a field. */
void assert_no_field(struct json_object *line, const char *key);

#endif /* TESTS_EMU_FIXTURE_H */
