// SPDX-License-Identifier: MIT
/* What a model can ask for: the calls of tph_emu.h. */
#include <stdlib.h>
#include <time.h>

#include <tph_emu.h>

#include "aer.h"
#include "endpoint.h"
#include "express.h"
#include "instrument/analyzer.h"
#include "tlp.h"

#define NANOSECONDS UINT64_C(1000000000)

const struct tph_emu_function *tph_emu_function(const struct tph_emu *emu)
{
	return &emu->endpoint->function;
}

uint32_t tph_emu_length(const struct tph_emu *emu, uint32_t type, uint64_t address, uint32_t left)
{
	const struct config_space *config = &emu->endpoint->config;

	return tlp_length(address, left,
			  type == TPH_EMU_WRITE ? express_payload_size(config)
						: express_read_request_size(config));
}

/* A model with more engines than it said would write where it has nothing: better here than there.
 */
static struct requester *requester_with(struct tph_emu *emu, unsigned int engine)
{
	struct requester *requester = &emu->endpoint->requester;

	if (engine >= requester->count)
		abort();
	return requester;
}

int tph_emu_send(struct tph_emu *emu, unsigned int engine, const struct tph_emu_request *request)
{
	return requester_send(requester_with(emu, engine), engine, request, NULL);
}

int tph_emu_send_latched(struct tph_emu *emu, unsigned int engine,
			 const struct tph_emu_request *request, struct tph_emu_latch *latch)
{
	return requester_send(requester_with(emu, engine), engine, request, latch);
}

int tph_emu_transfer(struct tph_emu *emu, unsigned int engine, const struct tph_emu_request *whole,
		     uint32_t *done)
{
	struct tph_emu_request one = *whole;
	int ret;

	one.address += *done;
	one.data = (uint8_t *)whole->data + *done;
	one.length = tph_emu_length(emu, whole->type, one.address, whole->length - *done);
	ret = tph_emu_send(emu, engine, &one);
	if (ret > 0)
		*done += (uint32_t)ret;
	return ret;
}

void tph_emu_begin(struct tph_emu *emu, unsigned int engine)
{
	requester_begin(requester_with(emu, engine), engine);
}

/* Whether it came to a request that was refused. */
static bool has_request(const struct tph_emu_error *error)
{
	return error->request && (error->reason == TPH_EMU_FAULT_UNMAPPED ||
				  error->reason == TPH_EMU_FAULT_PERMISSION ||
				  error->reason == TPH_EMU_FAULT_COMPLETION);
}

void tph_emu_fault(struct tph_emu *emu, const struct tph_emu_error *error)
{
	const bool known = error->reason >= TPH_EMU_FAULT_BUS_MASTER &&
			   error->reason <= TPH_EMU_FAULT_COMPLETION;
	struct tlp tlp = { 0 };

	if (has_request(error))
		tlp = requester_tlp(error->request);
	analyzer_fault(&emu->endpoint->instrument, known ? error->reason : TPH_EMU_FAULT_COMMAND,
		       error->command, error->done, has_request(error) ? &tlp : NULL,
		       error->queued ? &error->queue : NULL);
}

void tph_emu_interrupt(struct tph_emu *emu, unsigned int vector)
{
	if (vector < emu->endpoint->msix.count)
		endpoint_interrupt(emu->endpoint, vector);
}

void tph_emu_detect(struct tph_emu *emu, uint32_t correctable, uint32_t uncorrectable)
{
	struct config_space *config = &emu->endpoint->config;

	if (emu->endpoint->knobs.aer)
		express_detected(config, aer_detect(config, correctable, uncorrectable));
}

uint64_t tph_emu_time(const struct tph_emu *emu)
{
	struct timespec now;

	(void)emu;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

void tph_emu_wake(struct tph_emu *emu, uint32_t ms)
{
	struct endpoint *endpoint = emu->endpoint;

	if (!endpoint->loop)
		return;
	loop_clear_alarm(endpoint->loop, &endpoint->wake);
	loop_set_alarm(endpoint->loop, &endpoint->wake, ms);
}

void tph_emu_capture(struct tph_emu *emu, uint32_t number, const void *packet, uint32_t length)
{
	if (length && length <= CAPTURE_LENGTH_MAX)
		capture_add(&emu->endpoint->capture, number, packet, length);
}

bool tph_emu_instrument_read(const struct tph_emu *emu, uint64_t at, uint32_t *value)
{
	return instrument_read(&emu->endpoint->instrument, at, value);
}

bool tph_emu_instrument_write(struct tph_emu *emu, uint64_t at, uint32_t value)
{
	return instrument_write(&emu->endpoint->instrument, at, value);
}
