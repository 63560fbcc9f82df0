// SPDX-License-Identifier: MIT
/* The real program by its command line and by a file: wrong usage, and what right usage makes. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"
#include "format/bits.h"
#include "program.h"

#define CONFIG	   VFIO_PCI_CONFIG_REGION_INDEX
#define ARGUMENTS  8
#define TPH_AT	   0x110

static struct emulator emu;
static char file[64], comma[64];

static int setup(void **state)
{
	(void)state;
	emulator_place(&emu);
	snprintf(file, sizeof(file), "%s/file", emu.directory);
	snprintf(comma, sizeof(comma), "%s/so,ck", emu.directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	emulator_remove(&emu);
	return 0;
}

static void write_file(const char *text)
{
	FILE *out = fopen(file, "we");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* Ends at once, with status 2, a reason and no socket. */
static void assert_usage(char *const arguments[ARGUMENTS], const char *why)
{
	char *argv[ARGUMENTS + 2] = { (char *)program }, *errors;

	memcpy(argv + 1, arguments, ARGUMENTS * sizeof(*argv));
	assert_int_equal(finish(spawn(argv, emu.errors, -1)), 2);
	errors = slurp(emu.errors);
	if (!strstr(errors, why) || !strstr(errors, "Try 'tph-emu --help'"))
		fail_msg("no \"%s\" in: %s", why, errors);
	free(errors);
	assert_int_equal(access(emu.socket[0], F_OK), -1);
}

static void wrong_usage(void **state)
{
	char function[96];
	const struct {
		char *arguments[ARGUMENTS];
		const char *why;
	} wrong[] = {
		{ { NULL }, "no --function given" },
		{ { "--function", function }, "no --log given" },
		{ { "--no-log" }, "no --function given" },
		{ { "--function", function, "--no-log", "--log", "/dev/null" },
		  "--no-log and --log exclude one another" },
		{ { "--function", function, "--no-log", "--log-limit", "16K" },
		  "--no-log and --log-limit exclude one another" },
		{ { "--function", function, "--log", "/dev/null", "--log-limit", "4095" }, "4096" },
		{ { "--function", function, "--function", function, "--no-log" }, "must differ" },
		{ { "--function", "a,b", "--no-log" }, "not KEY=VALUE" },
		{ { "--describe", "/nowhere/x" }, "profile=/nowhere/x: No such file" },
		{ { "--describe" }, "--describe needs a value" },
		{ { "-f" }, "-f needs a value" },
		{ { "-x" }, "unknown option" },
		{ { "word" }, "unexpected argument" },
	};

	(void)state;
	snprintf(function, sizeof(function), "socket=%s", emu.socket[0]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_usage(wrong[i].arguments, wrong[i].why);
}

static void files_that_make_no_sense(void **state)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{ "", "it is no JSON" },
		{ "{", "it is no JSON" },
		{ "{} {}", "it is no JSON at byte 3" },
		{ "[]", "it is no JSON object" },
		{ "null", "it is no JSON object" },
		{ "{'log': '-'}", "it is no JSON at byte" },
		{ "{\"log\": \"\xff\"}", "it is no JSON" },
		{ "{\"log\": 1.5}", "log: not a string, a whole number" },
		{ "{\"log\": {}}", "log: not a string" },
		{ "{\"log\": []}", "log: not a string" },
		{ "{\"log\": [[\"a\"]]}", "log: not a string" },
		{ "{\"log\": null}", "log: not a string" },
		{ "{\"log\": \"a\\u0000b\"}", "log: not a string" },
		{ "{\"logs\": \"-\"}", "logs: unknown; known are functions, log," },
		{ "{\"verbose\": 1}", "verbose: not true or false: 1" },
		{ "{\"log-limit\": 1}", "--log-limit 1: not a size" },
		{ "{\"functions\": {}}", "functions: not an array" },
		{ "{\"functions\": [1]}", "functions[0]: not an object" },
		{ "{\"functions\": [{\"socket\": \"a\"}, {\"socket\": {}}]}",
		  "functions[1].socket: not a string" },
		{ "{\"functions\": [{\"socket\": \"a\", \"entries\": 65}]}",
		  "functions[0]: entries=65: an ST table in the capability has 1 to 64" },
		{ "{\"functions\": [{\"socket\": \"a\", \"sockets\": 65}]}",
		  "functions[0]: sockets=65: unknown key" },
		{ "{\"functions\": [{\"socket\": \"a\"}, {\"socket\": \"a\"}]}",
		  "functions[1]: name, socket and sent must differ" },
		{ "{\"functions\": [{\"socket\": \"a\", \"model\": \"/nowhere/x\"}]}",
		  "--model /nowhere/x" },
		{ "{\"functions\": [{\"entries\": 1}]}", "functions[0]: socket: missing" },
		{ "{\"functions\": []}", "no --function given" },
		{ "{\"functions\": [{\"socket\": \"a\"}]}", "no --log given" },
		{ "{\"functions\": [{\"socket\": \"a\"}], \"log\": \"-\", \"no-log\": true}",
		  "exclude one another" },
	};
	char *arguments[ARGUMENTS] = { "-f", file };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		write_file(wrong[i].text);
		assert_usage(arguments, wrong[i].why);
	}
	write_file("{\"verbose\": true}");
	assert_usage((char *[ARGUMENTS]){ "-f", file, "-f", file }, "there is one already");
	unlink(file);
	assert_usage(arguments, "No such file");
	assert_usage((char *[ARGUMENTS]){ "--file", "/" }, "it is no regular file");
}

static pid_t run(char *const arguments[ARGUMENTS])
{
	char *argv[ARGUMENTS + 4] = { (char *)program, "--ready-fd", "3" }, line[8];
	int ready[2];
	pid_t pid;

	memcpy(argv + 3, arguments, ARGUMENTS * sizeof(*argv));
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = spawn(argv, emu.errors, ready[1]);
	close(ready[1]);
	if (read(ready[0], line, sizeof(line)) != 6)
		fail_msg("it did not start: %s", slurp(emu.errors));
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	char *errors;

	kill(pid, SIGTERM);
	assert_int_equal(finish(pid), 0);
	errors = slurp(emu.errors);
	assert_string_equal(errors, "");
	free(errors);
}

static uint32_t config(const char *socket, uint64_t at)
{
	struct client c;
	uint32_t value;

	assert_int_equal(client_connect(&c, socket), 0);
	assert_int_equal(client_version(&c), 0);
	assert_int_equal(client_read(&c, CONFIG, at, &value, 4), 0);
	client_close(&c);
	return value;
}

/* The same function by both, and one whose path no command line could have. */
static void file_says_what_the_command_line_says(void **state)
{
	char text[512], function[192];
	char *arguments[ARGUMENTS] = { "-f", file, "--function", function };
	char *log;
	pid_t pid;

	(void)state;
	snprintf(text, sizeof(text),
		 "{ \"log\": \"%s\", \"verbose\": false, \"log-limit\": 65536,\n"
		 "  \"functions\": [ { \"socket\": \"%s\", \"name\": \"file\", \"entries\": 8,\n"
		 "    \"modes\": [\"nost\", \"iv\"], \"width\": 8, \"flr\": false,\n"
		 "    \"tags\": [1, \"0x22\"] } ] }\n", emu.log, comma);
	write_file(text);
	snprintf(function, sizeof(function),
		 "socket=%s,name=line,entries=8,modes=nost+iv,width=8,flr=off,tags=1+0x22",
		 emu.socket[0]);
	pid = run(arguments);
	for (uint64_t at = 0x40; at < 0x200; at += 4)
		if (at != 0x104) /* the serial number has the requester id */
			assert_int_equal(config(comma, at), config(emu.socket[0], at));
	assert_int_equal(config(comma, TPH_AT + 4), 0x00070203);
	assert_int_equal(config(comma, TPH_AT + 12), 0x00220001);
	end(pid);
	log = slurp(emu.log);
	assert_non_null(strstr(log, "\"function\":\"file\""));
	assert_non_null(strstr(log, "\"function\":\"line\""));
	assert_null(strstr(log, "\"event\":\"map\""));
	free(log);
}

static void without_a_log_everything_else_is_there(void **state)
{
	char function[96];
	char *arguments[ARGUMENTS] = { "--function", function, "--no-log" };
	uint32_t resets;
	struct client c;
	pid_t pid;

	(void)state;
	snprintf(function, sizeof(function), "socket=%s", emu.socket[0]);
	pid = run(arguments);
	assert_int_equal(client_connect(&c, emu.socket[0]), 0);
	assert_int_equal(client_version(&c), 0);
	assert_int_equal(client_call(&c, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
	assert_int_equal(client_write(&c, CONFIG, 4, &(uint16_t){ 2 }, 2), 0);
	assert_int_equal(client_read(&c, 0, EP_COUNT_RESETS, &resets, 4), 0);
	assert_int_equal(resets, 1);
	client_close(&c);
	end(pid);
	assert_int_equal(access(emu.log, F_OK), -1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wrong_usage, setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_make_no_sense, setup, teardown),
		cmocka_unit_test_setup_teardown(file_says_what_the_command_line_says, setup,
						teardown),
		cmocka_unit_test_setup_teardown(without_a_log_everything_else_is_there, setup,
						teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU\n", argv[0]);
		return 2;
	}
	program = argv[1];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
