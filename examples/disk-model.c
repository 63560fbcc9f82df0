// SPDX-License-Identifier: MIT
/*
 * A model for tph-emu: a disk with queue pairs as NVMe has them, for a little-endian machine. Data
 * and completions of a queue carry the tag of the queue's ST entry, or one from its register.
 *
 *   cc -shared -fPIC -o disk.so disk-model.c
 *   tph-emu --model ./disk.so --function socket=/run/disk.sock --log tlps.json
 *
 * Queue q has its registers from 0x100 * (q + 1) on. doc/emulator-models.md explains the rest.
 */
#include <string.h>

#include <tph_emu.h>

#define QUEUES	8u
#define ENTRIES 16u /* of each ring */
#define BLOCK	512u
#define BLOCKS	2048u

enum stage { IDLE, FETCH, DATA, COMPLETE, STAGES };
enum { TO_MEMORY = 1, FROM_MEMORY = 2 };

struct command {
	uint8_t opcode, flags;
	uint16_t id;
	uint32_t unused[5];
	uint64_t address, metadata, block;
	uint32_t count, more[3];
};

struct completion {
	uint64_t result;
	uint16_t head, queue, id, status; /* status: bit 0 phase, bit 1 error */
};

/* Up to @fault these are its registers. @tag: used if bit 31 is set; @fault: why it has stopped */
struct queue {
	uint64_t submissions, completions;
	uint32_t tail, tag, fault;
	uint32_t head, turns, done; /* done: bytes of this stage of the command */
	enum stage stage;
	struct command command;
	struct completion completion;
};

struct disk {
	struct queue queues[QUEUES];
	uint8_t blocks[BLOCKS * BLOCK]; /* a reset leaves them */
};

static void defaults(void *state, struct tph_emu_function *function)
{
	(void)state;
	function->class_code = 0x018000;
	function->vectors = function->entries = QUEUES;
}

static void reset(struct tph_emu *emu, void *state, enum tph_emu_reset how)
{
	(void)emu, (void)how;
	memset(state, 0, offsetof(struct disk, blocks));
}

static uint8_t *registers(struct disk *disk, uint64_t at, size_t length)
{
	if (at / 0x100 - 1 >= QUEUES || at % 0x100 + length > offsetof(struct queue, head))
		return NULL;
	return (uint8_t *)&disk->queues[at / 0x100 - 1] + at % 0x100;
}

static void bar_read(struct tph_emu *emu, void *state, uint64_t at, void *data, size_t length)
{
	(void)emu;
	if (registers(state, at, length))
		memcpy(data, registers(state, at, length), length);
}

static void bar_write(struct tph_emu *emu, void *state, uint64_t at, const void *data,
		      size_t length)
{
	(void)emu;
	if (registers(state, at, length))
		memcpy(registers(state, at, length), data, length);
}

/* A request of queue @n's command, or on to its next stage; false: it waits, or has no command. */
static bool step(struct tph_emu *emu, struct disk *disk, uint16_t n)
{
	struct queue *q = &disk->queues[n];
	struct command *c = &q->command;
	const bool good = c->block < BLOCKS && c->count <= BLOCKS - c->block &&
			  (c->opcode == TO_MEMORY || c->opcode == FROM_MEMORY);
	const uint32_t hint = q->tag >> 31 ? TPH_EMU_HINT_TAG(q->tag, 2) : TPH_EMU_HINT_ENTRY(n, 2);
	const struct tph_emu_request requests[STAGES] = {
		[FETCH] = { TPH_EMU_READ, TPH_EMU_FETCH, q->submissions + q->head * sizeof(*c), c,
			    sizeof(*c), .queue = n },
		[DATA] = { c->opcode == TO_MEMORY ? TPH_EMU_WRITE : TPH_EMU_READ, TPH_EMU_PAYLOAD,
			   c->address, disk->blocks + (good ? c->block * BLOCK : 0),
			   good ? c->count * BLOCK : 0, hint, .queue = n },
		[COMPLETE] = { TPH_EMU_WRITE, TPH_EMU_DESCRIPTOR,
			       q->completions + q->head * sizeof(q->completion), &q->completion,
			       sizeof(q->completion), hint, .queue = n },
	};
	const struct tph_emu_request *request = &requests[q->stage];
	int ret = 1;

	if (q->stage == IDLE && (q->fault || q->tail % ENTRIES == q->head))
		return false;
	if (q->stage == IDLE)
		tph_emu_begin(emu, n);
	q->completion = (struct completion){ 0, (uint16_t)q->head, n, c->id,
					     (~q->turns & 1) | (good ? 0 : 2) };
	if (q->done < request->length)
		ret = tph_emu_transfer(emu, n, request, &q->done);
	if (ret < 0) {
		q->fault = (uint32_t)-ret;
		tph_emu_fault(emu, &(struct tph_emu_error){ q->fault, "disk", q->done, request, true, n });
		q->stage = IDLE;
		q->done = 0;
	} else if (q->done == request->length) {
		q->stage = (q->stage + 1) % STAGES;
		q->done = 0;
		if (q->stage == IDLE) {
			q->head = (q->head + 1) % ENTRIES;
			q->turns += !q->head;
			tph_emu_interrupt(emu, n);
		}
	}
	return ret;
}

static bool work(struct tph_emu *emu, void *state)
{
	bool more = false;

	for (uint16_t n = 0; n < QUEUES * 4; n++)
		more |= step(emu, state, n % QUEUES);
	return more;
}

const struct tph_emu_model tph_emu_model = {
	.version = TPH_EMU_INTERFACE, .size = sizeof(struct tph_emu_model),
	.name = "disk", .state_size = sizeof(struct disk), .engines = QUEUES,
	.defaults = defaults, .reset = reset,
	.bar_read = bar_read, .bar_write = bar_write, .work = work,
};
