// SPDX-License-Identifier: MIT
/*
 * A model of somebody else: built outside of the tree, from the header and the example alone, and
 * loaded by --model. Its driver is a vfio-user client.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "program.h"

#define IOVA	     0x100000u
#define MEMORY	     0x10000u
#define NOT_MAPPED   0x800000u
#define SUBMISSIONS  0x0000u /* in memory, of queue 0; each has QUEUE_STRIDE */
#define COMPLETIONS  0x0400u
#define QUEUE_STRIDE 0x0800u
#define DATA	     0x8000u
#define BLOCK	     512u
#define PATIENCE_MS  5000

#define CONFIG	    VFIO_PCI_CONFIG_REGION_INDEX
#define COMMAND	    0x04
#define MSIX	    0x52
#define TPH_CONTROL 0x118
#define TPH_TABLE   0x11c
#define IV_EXTENDED 0x301
#define DS_EXTENDED 0x302

/* the example's registers */
#define QUEUE(q)    (0x100u * ((q) + 1))
#define TAIL	    16u
#define TAG	    20u
#define FAULT	    24u
#define TO_MEMORY   1u
#define FROM_MEMORY 2u

static const char *compiler, *header, *example;
static char folder[] = "/tmp/test-model-XXXXXX";

/* ---- building, and running ---- */

static char *in_folder(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

static void copy(const char *from, const char *name)
{
	char *to = in_folder(name);
	int in = open(from, O_RDONLY | O_CLOEXEC),
	    out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct stat status;

	assert_int_equal(fstat(in, &status), 0);
	assert_int_equal(sendfile(out, in, NULL, (size_t)status.st_size), status.st_size);
	close(in);
	close(out);
	free(to);
}

static void write_text(const char *name, const char *text)
{
	char *path = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(path);
}

/* As its author does it; what the compiler says is an error. */
static void build(const char *warnings, const char *source, const char *object)
{
	char *command, *errors = in_folder("errors"), *said;
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", NULL, NULL };
	int status;

	assert_true(asprintf(&command,
			     "cd %s && exec %s -std=c11 -shared -fPIC %s -I include -o %s %s",
			     folder, compiler, warnings, object, source) > 0);
	argv[2] = command;
	status = finish(spawn(argv, errors, -1));
	said = slurp(errors);
	if (status)
		fail_msg("%s: %s", command, said);
	free(said);
	free(errors);
	free(command);
}

struct run {
	char *model, *socket, *log, *errors, *function;
	pid_t pid;
};

static void place(struct run *run, const char *model, const char *keys)
{
	run->model = in_folder(model);
	run->socket = in_folder("socket");
	run->log = in_folder("log");
	run->errors = in_folder("errors");
	assert_true(asprintf(&run->function, "socket=%s,name=disk,rid=02:00.0%s", run->socket,
			     keys) > 0);
}

static void forget(struct run *run)
{
	free(run->model);
	free(run->socket);
	free(run->log);
	free(run->errors);
	free(run->function);
}

static void start(struct run *run, int ready)
{
	char *argv[] = { (char *)program, (char *)"--model",
			 run->model,	  (char *)"--function",
			 run->function,	  (char *)"--log",
			 run->log,	  (char *)"--ready-fd",
			 (char *)"3",	  NULL };

	run->pid = spawn(argv, run->errors, ready);
}

static void serve(struct run *run)
{
	char line[8];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	start(run, ends[1]);
	close(ends[1]);
	if (read(ends[0], line, sizeof(line)) != 6)
		fail_msg("it does not start: %s", slurp(run->errors));
	close(ends[0]);
}

static struct json_object **stop(struct run *run)
{
	struct json_object **lines;
	char *text;

	kill(run->pid, SIGTERM);
	assert_int_equal(finish(run->pid), 0);
	text = slurp(run->errors);
	assert_string_equal(text, "");
	free(text);
	text = slurp(run->log);
	lines = log_lines(text);
	free(text);
	forget(run);
	return lines;
}

/* ---- its driver ---- */

struct driver {
	struct run run;
	struct client client;
	uint8_t *memory;
	int eventfds[8];
};

static void out(struct driver *d, unsigned int region, uint64_t at, uint64_t value, uint32_t size)
{
	assert_int_equal(client_write(&d->client, region, at, &value, size), 0);
}

static void driver_open(struct driver *d, uint32_t control)
{
	const int fd = memfd_create("memory", MFD_CLOEXEC);
	const struct vfu_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.address = IOVA,
		.size = MEMORY,
	};
	const struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = 8,
	};

	place(&d->run, "disk.so", "");
	serve(&d->run);
	assert_int_equal(client_connect(&d->client, d->run.socket), 0);
	assert_int_equal(client_version(&d->client), 0);
	assert_int_equal(ftruncate(fd, MEMORY), 0);
	d->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(d->memory != MAP_FAILED);
	assert_int_equal(client_call(&d->client, VFU_DMA_MAP, &map, sizeof(map), &fd, 1), 0);
	close(fd);
	for (int i = 0; i < 8; i++)
		d->eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(
		client_call(&d->client, VFU_DEVICE_SET_IRQS, &set, sizeof(set), d->eventfds, 8), 0);
	out(d, CONFIG, COMMAND, 6, 2);
	out(d, CONFIG, MSIX, 0x8000, 2);
	for (unsigned int q = 0; q < 8; q++) {
		out(d, CONFIG, TPH_TABLE + 2 * q, 0x1100 + q, 2);
		out(d, 0, QUEUE(q), IOVA + q * QUEUE_STRIDE + SUBMISSIONS, 8);
		out(d, 0, QUEUE(q) + 8, IOVA + q * QUEUE_STRIDE + COMPLETIONS, 8);
	}
	out(d, CONFIG, TPH_CONTROL, control, 4);
}

static struct json_object **driver_close(struct driver *d)
{
	client_close(&d->client);
	munmap(d->memory, MEMORY);
	for (int i = 0; i < 8; i++)
		close(d->eventfds[i]);
	return stop(&d->run);
}

static void submit(struct driver *d, unsigned int q, unsigned int slot, unsigned int opcode,
		   uint64_t address, uint64_t block, uint32_t count)
{
	uint8_t *command = d->memory + q * QUEUE_STRIDE + SUBMISSIONS + slot * 64;
	const uint32_t head = opcode | (0x700u + slot) << 16;

	memcpy(command, &head, sizeof(head));
	memcpy(command + 24, &address, sizeof(address));
	memcpy(command + 40, &block, sizeof(block));
	memcpy(command + 48, &count, sizeof(count));
	out(d, 0, QUEUE(q) + TAIL, slot + 1, 4);
}

/* Waits for the interrupt of a queue, and returns the completion's status. */
static uint16_t complete(struct driver *d, unsigned int q, unsigned int slot)
{
	const uint8_t *completion = d->memory + q * QUEUE_STRIDE + COMPLETIONS + slot * 16;
	struct pollfd one = { .fd = d->eventfds[q], .events = POLLIN };
	uint16_t words[4];
	uint64_t count;

	assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
	assert_int_equal(read(one.fd, &count, sizeof(count)), sizeof(count));
	memcpy(words, completion + 8, sizeof(words));
	assert_int_equal(words[0], slot);
	assert_int_equal(words[1], q);
	assert_int_equal(words[2], 0x700 + slot);
	return words[3];
}

/* Every request of that kind and queue in the log has this tag, NULL for none. Return: bytes. */
static int64_t tagged(struct json_object **lines, unsigned int q, const char *type,
		      const char *kind, const char *st)
{
	int64_t bytes = 0;

	for (size_t i = 0; lines[i]; i++) {
		if (strcmp(word(lines[i], "event"), "tlp") || number(lines[i], "queue") != q ||
		    strcmp(word(lines[i], "kind"), kind))
			continue;
		assert_string_equal(word(lines[i], "type"), type);
		assert_int_equal(number(lines[i], "th"), st != NULL);
		assert_string_equal(word(lines[i], "st"), st ? st : "");
		assert_string_equal(word(lines[i], "requester"), "02:00.0");
		if (st)
			assert_int_equal(number(lines[i], "ph"), 2);
		bytes += number(lines[i], "length");
	}
	return bytes;
}

/* ---- tests ---- */

static void queues_carry_the_tags_of_their_entries(void **state)
{
	struct json_object **lines;
	struct driver d;

	(void)state;
	driver_open(&d, IV_EXTENDED);
	for (unsigned int i = 0; i < 2 * BLOCK; i++)
		d.memory[DATA + i] = (uint8_t)(i * 7);
	submit(&d, 2, 0, FROM_MEMORY, IOVA + DATA, 2046, 2);
	assert_int_equal(complete(&d, 2, 0), 1);
	submit(&d, 5, 0, TO_MEMORY, IOVA + DATA + 0x1000, 2046, 2);
	assert_int_equal(complete(&d, 5, 0), 1);
	assert_memory_equal(d.memory + DATA, d.memory + DATA + 0x1000, 2 * BLOCK);
	/* beyond the last block: an error, and nothing is moved */
	submit(&d, 5, 1, TO_MEMORY, IOVA + DATA + 0x2000, 2047, 2);
	assert_int_equal(complete(&d, 5, 1), 3);
	lines = driver_close(&d);
	assert_int_equal(tagged(lines, 2, "MRd", "fetch", NULL), 64);
	assert_int_equal(tagged(lines, 2, "MRd", "payload", "0x1102"), 2 * BLOCK);
	assert_int_equal(tagged(lines, 2, "MWr", "descriptor", "0x1102"), 16);
	assert_int_equal(tagged(lines, 5, "MRd", "fetch", NULL), 128);
	assert_int_equal(tagged(lines, 5, "MWr", "payload", "0x1105"), 2 * BLOCK);
	assert_int_equal(tagged(lines, 5, "MWr", "descriptor", "0x1105"), 32);
	lines_free(lines);
}

static void driver_chooses_the_tag(void **state)
{
	struct json_object **lines;
	struct driver d;

	(void)state;
	driver_open(&d, DS_EXTENDED);
	out(&d, 0, QUEUE(1) + TAG, 0x8000beef, 4);
	submit(&d, 1, 0, TO_MEMORY, IOVA + DATA, 0, 8);
	assert_int_equal(complete(&d, 1, 0), 1);
	lines = driver_close(&d);
	assert_int_equal(tagged(lines, 1, "MWr", "payload", "0xbeef"), 8 * BLOCK);
	assert_int_equal(tagged(lines, 1, "MWr", "descriptor", "0xbeef"), 16);
	lines_free(lines);
}

static void fault_stops_a_queue_and_no_other(void **state)
{
	struct json_object **lines;
	uint32_t fault = 0;
	struct driver d;
	size_t i = 0;

	(void)state;
	driver_open(&d, IV_EXTENDED);
	submit(&d, 3, 0, TO_MEMORY, NOT_MAPPED, 0, 1);
	submit(&d, 4, 0, TO_MEMORY, IOVA + DATA, 0, 1);
	assert_int_equal(complete(&d, 4, 0), 1);
	assert_int_equal(client_read(&d.client, 0, QUEUE(3) + FAULT, &fault, 4), 0);
	assert_int_equal(fault, 2);
	lines = driver_close(&d);
	while (lines[i] && strcmp(word(lines[i], "event"), "fault"))
		i++;
	assert_non_null(lines[i]);
	assert_string_equal(word(lines[i], "reason"), "unmapped");
	assert_string_equal(word(lines[i], "command"), "disk");
	assert_string_equal(word(lines[i], "address"), "0x800000");
	assert_int_equal(number(lines[i], "queue"), 3);
	lines_free(lines);
}

static void registers_and_resets_reach_the_model(void **state)
{
	uint32_t value = 0;
	struct driver d;

	(void)state;
	driver_open(&d, IV_EXTENDED);
	out(&d, 0, QUEUE(7) + TAG, 0x12345678, 4);
	assert_int_equal(client_read(&d.client, 0, QUEUE(7) + TAG + 1, &value, 2), 0);
	assert_int_equal(value, 0x3456);
	/* what the model does not answer reads all ones, and BAR 0 ends where the defaults say */
	assert_int_equal(client_read(&d.client, 0, 0, &value, 4), 0);
	assert_int_equal(value, 0xffffffff);
	assert_int_not_equal(client_read(&d.client, 0, 0x1000, &value, 4), 0);
	assert_int_equal(client_call(&d.client, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	out(&d, CONFIG, COMMAND, 6, 2);
	assert_int_equal(client_read(&d.client, 0, QUEUE(7) + TAG, &value, 4), 0);
	assert_int_equal(value, 0);
	lines_free(driver_close(&d));
}

/* What a model can get wrong: fields behind those that are right take their place. */
static const char odd_head[] =
	"#include <stdio.h>\n"
	"#include <tph_emu.h>\n"
	"static void r(struct tph_emu *e, void *s, uint64_t a, void *d, size_t l) { }\n"
	"static void w(struct tph_emu *e, void *s, uint64_t a, const void *d, size_t l) { }\n"
	"static int set(void *s, const char *k, const char *v, char *why, size_t n)\n"
	"{ snprintf(why, n, \"it is not dark\"); return -1; }\n"
	"static int check(void *s, const struct tph_emu_function *f, char *why, size_t n)\n"
	"{ snprintf(why, n, \"light=%u: too many\", f->vectors); return -1; }\n"
	"static void defaults(void *s, struct tph_emu_function *f) { f->registers_size = 5000; }\n"
	"static const char *const light[] = { \"light\", NULL }, *const flr[] = { \"flr\", NULL };\n"
	"static const char *const comma[] = { \"a,b\", NULL };\n"
	"const struct tph_emu_model tph_emu_model = { .bar_read = r, .bar_write = w, .engines = 1,\n"
	"  .name = \"odd\", .version = 1, .size = sizeof(struct tph_emu_model), ";

static void refused(const char *object, const char *keys, const char *why)
{
	struct run run;
	char *said, line[8];
	int ends[2];

	place(&run, object, keys);
	unlink(run.log);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	start(&run, ends[1]);
	close(ends[1]);
	/* It ends, or it would tell that it serves. */
	if (read(ends[0], line, sizeof(line)))
		kill(run.pid, SIGTERM);
	close(ends[0]);
	assert_int_equal(finish(run.pid), 2);
	said = slurp(run.errors);
	if (!strstr(said, why))
		fail_msg("'%s' in place of '%s'", said, why);
	assert_int_equal(access(run.log, F_OK), -1);
	free(said);
	forget(&run);
}

static void wrong_models_are_explained(void **state)
{
	static const struct {
		const char *fields, *keys, *why;
	} odd[] = {
		{ ".version = 2", "", "version 2 of tph_emu.h, and this tph-emu has version 1" },
		{ ".version = 0", "", "version 0 of tph_emu.h" },
		{ ".size = 8", "", "its size is 8" },
		{ ".name = NULL", "", "it has no name" },
		{ ".bar_read = NULL", "", "lacks bar_read()" },
		{ ".engines = 65", "", "65 engines, and 1 to 64 are possible" },
		{ ".engines = 0", "", "0 engines" },
		{ ".state_size = 1ul << 30", "", "its state has" },
		{ ".keys = light", "", "no set()" },
		{ ".set = set, .keys = flr", "", "its key flr is one that every function has" },
		{ ".set = set, .keys = comma", "", "its key 0 is empty, or has a comma" },
		{ ".set = set, .keys = light", ",light=on", "light=on: it is not dark" },
		{ ".check = check", ",vectors=3", "light=3: too many" },
		{ ".defaults = defaults", "", "model=odd: registers_size is no power of two" },
		{ "", ",queues=1", "queues=1: unknown key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char *text;

		assert_true(asprintf(&text, "%s%s };\n", odd_head, odd[i].fields) > 0);
		write_text("odd.c", text);
		free(text);
		build("-w", "odd.c", "odd.so");
		refused("odd.so", odd[i].keys, odd[i].why);
	}
	write_text("odd.c", "int a;\n");
	build("-w", "odd.c", "odd.so");
	refused("odd.so", "", "it defines no tph_emu_model");
	write_text("odd.c", "int no_such_call(void);\nint a(void) { return no_such_call(); }\n");
	build("-w", "odd.c", "odd.so");
	refused("odd.so", "", "no_such_call");
	refused("odd.c", "", "odd.c: ");
	refused("nowhere.so", "", "No such file");
}

static int setup(void **state)
{
	char *include;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	include = in_folder("include");
	if (mkdir(include, 0700))
		return -1;
	free(include);
	copy(header, "include/tph_emu.h");
	copy(example, "disk.c");
	build("-Wall -Wextra -Wpedantic -Werror", "disk.c", "disk.so");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "include/tph_emu.h",
					     "include",
					     "disk.c",
					     "disk.so",
					     "odd.c",
					     "odd.so",
					     "errors",
					     "log" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = in_folder(names[i]);

		remove(path);
		free(path);
	}
	return rmdir(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_carry_the_tags_of_their_entries),
		cmocka_unit_test(driver_chooses_the_tag),
		cmocka_unit_test(fault_stops_a_queue_and_no_other),
		cmocka_unit_test(registers_and_resets_reach_the_model),
		cmocka_unit_test(wrong_models_are_explained),
	};

	if (argc != 5) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU COMPILER HEADER EXAMPLE\n", argv[0]);
		return 2;
	}
	program = argv[1];
	compiler = argv[2];
	header = argv[3];
	example = argv[4];
	return cmocka_run_group_tests_name("model", tests, setup, teardown);
}
