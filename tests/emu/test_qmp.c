// SPDX-License-Identifier: MIT
/* The client of QEMU's monitor, against a scripted monitor in another process. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "endpoint_regs.h"
#include "instrument/qmp.h"
#include "keys.h"
#include "models/exerciser.h"
#include "pcie/endpoint.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define EVENT	 "{\"timestamp\": {}, \"event\": \"RTC_CHANGE\"}\r\n"
#define OK	 "{\"return\": {}}\r\n"

/**
 * struct script - what the monitor says: at once, after the first command, after the second, ...
 * A NULL ends it by closing; "wait" keeps the connection without a word.
 */
struct script {
	const char *lines[8];
};

struct fixture {
	char directory[32];
	char path[64];
	struct loop loop;
	struct qmp *qmp;
	int listener;
	pid_t monitor;
};

struct result {
	struct loop *loop;
	int calls;
	int until;
	int error;
	uint32_t value;
};

static void done(void *owner, int error, uint32_t value)
{
	struct result *result = owner;

	result->calls++;
	result->error = error;
	result->value = value;
	result->loop->stop = result->calls == result->until;
}

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/test-qmp-XXXXXX");
	if (!mkdtemp(f->directory) || loop_init(&f->loop))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->directory);
	strcpy(address.sun_path, f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(f->listener, 4))
		return -1;
	*state = f;
	return 0;
}

static void speak(int fd, const struct script *script)
{
	for (size_t i = 0; script->lines[i]; i++) {
		char byte = 0;

		if (i)
			while (byte != '\n')
				if (read(fd, &byte, 1) != 1)
					return;
		if (!strcmp(script->lines[i], "wait")) {
			while (read(fd, &byte, 1) == 1)
				;
			return;
		}
		if (write(fd, script->lines[i], strlen(script->lines[i])) < 0)
			return;
	}
}

static void start(struct fixture *f, const struct script *script, unsigned int patience_ms)
{
	f->monitor = fork();
	if (!f->monitor) {
		int fd = accept(f->listener, NULL, NULL);

		speak(fd, script);
		_exit(0);
	}
	f->qmp = qmp_open(&f->loop, f->path, patience_ms);
	assert_non_null(f->qmp);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	qmp_close(f->qmp);
	loop_fini(&f->loop);
	close(f->listener);
	if (f->monitor) {
		/* It may still wait for a client that never came. */
		kill(f->monitor, SIGKILL);
		waitpid(f->monitor, NULL, 0);
	}
	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

static struct result ask(struct fixture *f, const struct script *script, unsigned int patience_ms)
{
	struct result result = { .loop = &f->loop, .until = 1 };
	struct qmp_request *request;

	start(f, script, patience_ms);
	assert_int_equal(qmp_read32(f->qmp, 0xfe61001c, done, &result, &request), 0);
	assert_int_equal(result.calls, 0);
	assert_int_equal(loop_run(&f->loop), 0);
	assert_int_equal(result.calls, 1);
	return result;
}

static void no_monitor_is_an_error_at_once(void **state)
{
	struct result result = { .until = 1 };
	struct fixture *f = *state;
	struct qmp_request *request;

	unlink(f->path);
	f->qmp = qmp_open(&f->loop, f->path, 1000);
	assert_int_equal(qmp_read32(f->qmp, 0, done, &result, &request), -ENOENT);
	/* and again: no state is left behind */
	assert_int_equal(qmp_read32(f->qmp, 0, done, &result, &request), -ENOENT);
	assert_int_equal(result.calls, 0);
}

static void silent_monitor_times_out(void **state)
{
	static const struct script script = { { "wait" } };

	assert_int_equal(ask(*state, &script, 50).error, -ETIMEDOUT);
}

static void monitor_that_stops_answering_times_out(void **state)
{
	static const struct script script = { { GREETING, OK, "wait" } };

	assert_int_equal(ask(*state, &script, 50).error, -ETIMEDOUT);
}

static void closing_monitor_is_an_error(void **state)
{
	static const struct script script = { { GREETING, OK, NULL } };

	/* The command may be refused or unanswered, as the race goes. */
	assert_true(ask(*state, &script, 5000).error < 0);
}

static void nonsense_is_an_error(void **state)
{
	static const struct script script = { { "hello\n", "wait" } };

	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void error_answer_is_an_error(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"error\": {\"class\": \"GenericError\"}, \"id\": 1}\n", "wait" }
	};

	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void other_address_is_an_error(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"00000000fe610020: 0x00000001\\r\\n\", \"id\": 1}\n",
		  "wait" }
	};

	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void monitor_text_without_a_value_is_an_error(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"Cannot access memory\\r\\n\", \"id\": 1}\n",
		  "wait" }
	};

	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void answer_to_another_request_is_an_error(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"00000000fe61001c: 0x00000001\\r\\n\", \"id\": 7}\n",
		  "wait" }
	};

	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void endless_line_is_an_error(void **state)
{
	static char line[70000];
	struct script script = { { line, "wait" } };

	memset(line, 'x', sizeof(line) - 1);
	assert_int_equal(ask(*state, &script, 5000).error, -EPROTO);
}

static void value_is_read(void **state)
{
	static const struct script script = {
		{ GREETING, EVENT OK,
		  EVENT "{\"return\": \"00000000fe61001c: 0x01450001\\r\\n\", \"id\": 1}\r\n" EVENT,
		  "wait" }
	};
	struct result result = ask(*state, &script, 5000);

	assert_int_equal(result.error, 0);
	assert_int_equal(result.value, 0x01450001);
}

static void requests_are_answered_in_order_and_cancelled_ones_not(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"0000000000001000: 0x00000001\\r\\n\", \"id\": 1}\n",
		  "{\"return\": \"0000000000002000: 0x00000002\\r\\n\", \"id\": 2}\n",
		  "{\"return\": \"0000000000004000: 0x00000004\\r\\n\", \"id\": 3}\n", "wait" }
	};
	struct fixture *f = *state;
	struct result first = { .loop = &f->loop, .until = 1 }, none = { .loop = &f->loop };
	struct result last = first;
	struct qmp_request *request[4];

	start(f, &script, 5000);
	assert_int_equal(qmp_read32(f->qmp, 0x1000, done, &first, &request[0]), 0);
	assert_int_equal(qmp_read32(f->qmp, 0x2000, done, &none, &request[1]), 0);
	assert_int_equal(qmp_read32(f->qmp, 0x3000, done, &none, &request[2]), 0);
	assert_int_equal(loop_run(&f->loop), 0);
	assert_int_equal(first.calls, 1);
	assert_int_equal(first.value, 1);

	/* the second is on its way by now, the third is not and never will be */
	qmp_cancel(f->qmp, request[1]);
	qmp_cancel(f->qmp, request[2]);
	assert_int_equal(qmp_read32(f->qmp, 0x4000, done, &last, &request[3]), 0);
	f->loop.stop = false;
	assert_int_equal(loop_run(&f->loop), 0);
	assert_int_equal(none.calls, 0);
	assert_int_equal(last.error, 0);
	assert_int_equal(last.value, 4);
}

/* ---- the DMA engine of an endpoint whose MSI-X table QEMU keeps ---- */

#define IOVA	    0x10000u
#define TPH_CONTROL 0x118

/** struct engine - a function with its ST table in the MSI-X table, and work for the loop */
struct engine {
	struct endpoint endpoint;
	struct log log;
	struct work work;
	struct fixture *fixture;
};

static bool engine_work(struct work *work)
{
	struct engine *engine = work->owner;
	const struct exerciser *model = engine->endpoint.knobs.model_state;
	bool more = endpoint_work(&engine->endpoint);

	engine->fixture->loop.stop =
		model->dma.status != EP_DMA_BUSY && queues_are_idle(&model->queues);
	return more;
}

static void config_out(struct engine *engine, size_t at, size_t width, uint32_t value)
{
	endpoint_config_write(&engine->endpoint, at, (const uint8_t *)&value, width);
}

static void reg_set(struct engine *engine, size_t at, uint32_t value)
{
	endpoint_bar_write(&engine->endpoint, EP_BAR, at, (const uint8_t *)&value, 4);
}

static uint32_t reg(struct engine *engine, size_t at)
{
	uint32_t value;

	endpoint_bar_read(&engine->endpoint, EP_BAR, at, (uint8_t *)&value, 4);
	return value;
}

static void engine_ready(struct engine *engine)
{
	config_out(engine, 0x04, 2, 6);
	config_out(engine, TPH_CONTROL, 4, 0x301);
}

static void engine_open(struct engine *engine, struct fixture *f)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct knobs knobs;
	char *error;

	*engine = (struct engine){ .log.sink.fd = -1, .fixture = f };
	engine->work = (struct work){ .run = engine_work, .owner = engine };
	assert_int_equal(knobs_parse(&knobs, &exerciser_model,
				     "socket=/nowhere,st-table=msix,queues=1", 0, &error),
			 0);
	assert_int_equal(endpoint_init(&engine->endpoint, &knobs, &engine->log, f->qmp), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(iova_map_add(&engine->endpoint.map, IOVA, 4096, 3, fd, 0), 0);
	close(fd);
	loop_add_work(&f->loop, &engine->work);
	engine_ready(engine);
}

static void bar4_program(struct engine *engine)
{
	config_out(engine, 0x20, 4, 0xffffffff);
	config_out(engine, 0x24, 4, 0xffffffff);
	config_out(engine, 0x20, 4, 0xfe610000);
	config_out(engine, 0x24, 4, 0);
}

static void ring(struct engine *engine, uint32_t entry)
{
	reg_set(engine, EP_DMA_DST_LO, IOVA);
	reg_set(engine, EP_DMA_LENGTH, 256);
	reg_set(engine, EP_DMA_HINT, entry | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	reg_set(engine, EP_DMA_DOORBELL, EP_DMA_WRITE);
	assert_int_equal(reg(engine, EP_DMA_STATUS), EP_DMA_BUSY);
}

static void engine_run(struct engine *engine)
{
	engine->fixture->loop.stop = false;
	assert_int_equal(loop_run(&engine->fixture->loop), 0);
}

static const struct script answers_entry_1 = {
	{ GREETING, OK, "{\"return\": \"00000000fe61001c: 0x01450001\\r\\n\", \"id\": 1}\n",
	  "{\"return\": \"00000000fe61001c: 0x02990001\\r\\n\", \"id\": 2}\n", "wait" }
};

static void unprogrammed_bar_is_a_fault(void **state)
{
	struct engine engine;

	start(*state, &answers_entry_1, 5000);
	engine_open(&engine, *state);
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_FAULTED);
	assert_int_equal(reg(&engine, EP_DMA_FAULT), EP_FAULT_TAG);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 0);
	endpoint_fini(&engine.endpoint);
}

static void monitor_without_an_answer_is_a_fault(void **state)
{
	static const struct script script = { { "wait" } };
	struct engine engine;

	start(*state, &script, 50);
	engine_open(&engine, *state);
	bar4_program(&engine);
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_FAULT), EP_FAULT_TAG);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 0);
	endpoint_fini(&engine.endpoint);
}

static void reset_while_waiting_cancels(void **state)
{
	struct engine engine;

	start(*state, &answers_entry_1, 5000);
	engine_open(&engine, *state);
	bar4_program(&engine);
	ring(&engine, 1);
	assert_false(endpoint_work(&engine.endpoint));
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_BUSY);
	endpoint_reset(&engine.endpoint, ENDPOINT_RESET_FLR);
	engine_ready(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_IDLE);

	/* BAR 4 was not written again, as in a guest of QEMU; the answer is of the new question */
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 2);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TLP_ST), 0x0145);
	endpoint_fini(&engine.endpoint);
}

static void tag_is_asked_for_once_per_command(void **state)
{
	struct engine engine;

	start(*state, &answers_entry_1, 5000);
	engine_open(&engine, *state);
	bar4_program(&engine);
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 2);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TLP_ST), 0x0145);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TRACE_STRIDE + EP_TLP_ST), 0x0145);
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_TRACE + 2 * EP_TRACE_STRIDE + EP_TLP_ST), 0x0299);
	/* beyond the table nobody is asked: the script has no more answers */
	ring(&engine, 16);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(reg(&engine, EP_TRACE + 4 * EP_TRACE_STRIDE + EP_TLP_FLAGS), EP_TLP_MWR);
	endpoint_fini(&engine.endpoint);
}

/* Between the question and its answer the table can have changed, behind a disabled requester. */
static void tag_is_asked_for_again_after_a_write_to_the_capability(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"00000000fe61001c: 0x01450001\\r\\n\", \"id\": 1}\n",
		  "{\"return\": \"00000000fe61001c: 0x02990001\\r\\n\", \"id\": 2}\n",
		  "{\"return\": \"00000000fe61001c: 0x03110001\\r\\n\", \"id\": 3}\n", "wait" }
	};
	struct engine engine;

	start(*state, &script, 5000);
	engine_open(&engine, *state);
	bar4_program(&engine);
	ring(&engine, 1);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TLP_ST), 0x0145);

	/* the monitor is there by now, so the second question is out at once */
	ring(&engine, 1);
	assert_false(endpoint_work(&engine.endpoint));
	config_out(&engine, TPH_CONTROL, 4, 0x1);
	config_out(&engine, TPH_CONTROL, 4, 0x301);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 4);
	assert_int_equal(reg(&engine, EP_TRACE + 2 * EP_TRACE_STRIDE + EP_TLP_ST), 0x0311);
	endpoint_fini(&engine.endpoint);
}

/* A packet for a queue with ST entries 1, for payload, and 2, for descriptors. */
static void receive(struct engine *engine)
{
	const uint64_t payload = IOVA + 0x100;

	assert_int_equal(iova_map_write(&engine->endpoint.map, IOVA, &payload, sizeof(payload)), 0);
	reg_set(engine, EP_RXQ + EP_QUEUE_BASE_LO, IOVA);
	reg_set(engine, EP_RXQ + EP_QUEUE_SIZE, 2);
	reg_set(engine, EP_RXQ + EP_QUEUE_BUFFER, 2048);
	reg_set(engine, EP_RXQ + EP_QUEUE_HINT_PAYLOAD, 1 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	reg_set(engine, EP_RXQ + EP_QUEUE_HINT_DESCRIPTOR, 2 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT);
	reg_set(engine, EP_RXQ + EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	reg_set(engine, EP_RXQ + EP_QUEUE_TAIL, 1);
	reg_set(engine, EP_RX_GENERATE, 1);
}

/* The queue's requests wait for the tag, and for each entry anew. */
static void queue_asks_for_the_tags_of_its_entries(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"00000000fe61001c: 0x01450001\\r\\n\", \"id\": 1}\n",
		  "{\"return\": \"00000000fe61002c: 0x02990001\\r\\n\", \"id\": 2}\n", "wait" }
	};
	struct engine engine;

	start(*state, &script, 5000);
	engine_open(&engine, *state);
	bar4_program(&engine);
	receive(&engine);
	assert_false(endpoint_work(&engine.endpoint)); /* it waits, and does not spin */
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_RXQ + EP_QUEUE_PACKETS), 1);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 3);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TRACE_STRIDE + EP_TLP_ST), 0x0145);
	assert_int_equal(reg(&engine, EP_TRACE + 2 * EP_TRACE_STRIDE + EP_TLP_ST), 0x0299);
	endpoint_fini(&engine.endpoint);
}

static void queue_without_an_answer_faults(void **state)
{
	struct engine engine;

	start(*state, &answers_entry_1, 5000);
	engine_open(&engine, *state);
	receive(&engine);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_RXQ + EP_QUEUE_STATUS), EP_QUEUE_ERROR);
	assert_int_equal(reg(&engine, EP_RXQ + EP_QUEUE_FAULT), EP_FAULT_TAG);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 1); /* the descriptor was fetched */
	endpoint_fini(&engine.endpoint);
}

/* Two packets of 64 bytes to be sent, with the tag of ST entry 1 on every request. */
static void transmit(struct engine *engine)
{
	const uint32_t hint = 1 | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT;
	const uint32_t descriptor[] = { IOVA + 0x100, 0, 0, 0, 64 };

	for (uint64_t at = IOVA; at < IOVA + 2 * EP_DESCRIPTOR_SIZE; at += EP_DESCRIPTOR_SIZE)
		assert_int_equal(iova_map_write(&engine->endpoint.map, at,
						(const uint8_t *)descriptor, sizeof(descriptor)),
				 0);
	reg_set(engine, EP_TXQ + EP_QUEUE_BASE_LO, IOVA);
	reg_set(engine, EP_TXQ + EP_QUEUE_SIZE, 2);
	reg_set(engine, EP_TXQ + EP_QUEUE_HINT_PAYLOAD, hint);
	reg_set(engine, EP_TXQ + EP_QUEUE_HINT_DESCRIPTOR, hint);
	reg_set(engine, EP_TXQ + EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
}

/* Once a packet, and again if the table can have changed between the question and its answer. */
static void transmit_queue_asks_for_each_packet(void **state)
{
	static const struct script script = {
		{ GREETING, OK, "{\"return\": \"00000000fe61001c: 0x01450001\\r\\n\", \"id\": 1}\n",
		  "{\"return\": \"00000000fe61001c: 0x02990001\\r\\n\", \"id\": 2}\n",
		  "{\"return\": \"00000000fe61001c: 0x03110001\\r\\n\", \"id\": 3}\n", "wait" }
	};
	struct engine engine;

	start(*state, &script, 5000);
	engine_open(&engine, *state);
	bar4_program(&engine);
	transmit(&engine);
	reg_set(&engine, EP_TXQ + EP_QUEUE_TAIL, 1);
	assert_false(endpoint_work(&engine.endpoint)); /* it waits, and does not spin */
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_TXQ + EP_QUEUE_PACKETS), 1);
	assert_int_equal(reg(&engine, EP_TRACE_HEAD), 3);
	assert_int_equal(reg(&engine, EP_TRACE + EP_TRACE_STRIDE + EP_TLP_ST), 0x0145);
	assert_int_equal(reg(&engine, EP_TRACE + 2 * EP_TRACE_STRIDE + EP_TLP_ST), 0x0145);

	/* the monitor is there by now, so the second question is out at once */
	reg_set(&engine, EP_TXQ + EP_QUEUE_TAIL, 0);
	assert_false(endpoint_work(&engine.endpoint));
	config_out(&engine, TPH_CONTROL, 4, 0x1);
	config_out(&engine, TPH_CONTROL, 4, 0x301);
	engine_run(&engine);
	assert_int_equal(reg(&engine, EP_TXQ + EP_QUEUE_PACKETS), 2);
	assert_int_equal(reg(&engine, EP_TRACE + 4 * EP_TRACE_STRIDE + EP_TLP_ST), 0x0311);
	endpoint_fini(&engine.endpoint);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_monitor_is_an_error_at_once),
		TEST(silent_monitor_times_out),
		TEST(monitor_that_stops_answering_times_out),
		TEST(closing_monitor_is_an_error),
		TEST(nonsense_is_an_error),
		TEST(error_answer_is_an_error),
		TEST(other_address_is_an_error),
		TEST(monitor_text_without_a_value_is_an_error),
		TEST(answer_to_another_request_is_an_error),
		TEST(endless_line_is_an_error),
		TEST(unprogrammed_bar_is_a_fault),
		TEST(monitor_without_an_answer_is_a_fault),
		TEST(reset_while_waiting_cancels),
		TEST(queue_without_an_answer_faults),
		TEST(tag_is_asked_for_again_after_a_write_to_the_capability),
		TEST(value_is_read),
		TEST(requests_are_answered_in_order_and_cancelled_ones_not),
		TEST(tag_is_asked_for_once_per_command),
		TEST(queue_asks_for_the_tags_of_its_entries),
		TEST(transmit_queue_asks_for_each_packet),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("qmp", tests, NULL, NULL);
}
