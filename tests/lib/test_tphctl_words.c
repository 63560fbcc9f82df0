// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: the words that it takes, its help, manual and completion. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tphctl.h"
#include "tphctl_run.h"

static void words_that_make_no_sense(void **context)
{
	(void)context;
	assert_fails("", 2, "say what to do");
	assert_fails("frobnicate", 2, "frobnicate");
	assert_fails("List", 2, "List");
	assert_fails("--frobnicate list", 2, "--frobnicate");
	assert_fails("--jsonx list", 2, "--jsonx");
	assert_fails("-x list", 2, "-x");
	assert_fails("--json=yes list", 2, "--json=yes");
	assert_fails("list --sysfs", 2, "--sysfs");
	assert_fails("list --sysfs=", 2, "--sysfs=");
	assert_fails("list -b", 2, "-b");
	assert_fails("--sysfs /a --sysfs /b list", 2, "--sysfs");
	assert_fails("list surplus", 2, "surplus");
	assert_fails("show", 2, "tphctl show DEV");
	assert_fails("set " TREE_ENDPOINT, 2, "tphctl set DEV");
	assert_fails("set " TREE_ENDPOINT " 0=1 0=2", 2, "0=2");
	assert_fails("enable " TREE_ENDPOINT " iv 8 widest", 2, "widest");
	assert_fails("clear --pm " TREE_ENDPOINT " all", 2, "pm");
	assert_fails("set --driver nvme " TREE_ENDPOINT " 0=1", 2, "driver");
	assert_fails("--driver nvme", 2, "driver");
	assert_fails("grant " TREE_ENDPOINT, 2, "does not say what to grant");
	assert_fails("grant " TREE_ENDPOINT " --policy ds", 2, "there is no such policy");
	assert_fails("bind " TREE_NVME " --policy DS-ST", 2, "DS-ST");
	assert_fails("bind " TREE_NVME " --publish yes", 2, "give on or off");
	assert_fails("grant " TREE_ENDPOINT " --publish 1", 2, "option --publish");
	assert_fails("grant " TREE_ENDPOINT " --cpus 1 --publish On", 2, "On");
	assert_fails("dmabufs " TREE_ENDPOINT " --publish on", 2, "publish");
	assert_fails("dmabufs", 2, "tphctl dmabufs DEV");
	assert_fails("watch " TREE_ENDPOINT " --count 0", 2, "0");
	assert_fails("watch " TREE_ENDPOINT " --count -1", 2, "-1");
	assert_fails("watch " TREE_ENDPOINT " --count 4294967296", 2, "4294967296");
	assert_fails("watch " TREE_ENDPOINT " --sysfs /tmp", 2, "--sysfs");
	assert_fails("unbind " TREE_ENDPOINT " --cpus 1", 2, "cpus");
	assert_fails("list --vf-token bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3", 2, "vf-token");
	assert_fails("why " TREE_ENDPOINT " --vf-token bd8d9d2b-5a5f-4f5a-a211-f591514ba1f3", 2,
		     "vf-token");
	/* before it is seen that the module is not loaded */
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_fails("bind " TREE_NVME " --policy foo", 2, "there is no such policy");
	assert_fails("bind " TREE_NVME " --cpus 9-2", 2, "CPU list");
	assert_fails("bind 0000:09:00.0 --driver ../x", 2, "not the name of a driver");
	remove(TREE "/devices/system/cpu/possible");
	assert_fails("bind " TREE_NVME " --cpus 9-2", 2, "CPU list");
	assert_fails("list extra", 2, "list takes none");
	assert_says(result.out, "\"tphctl list\"");
	run("clear --pm " TREE_ENDPOINT " all");
	assert_says(result.err, "option --pm: clear does not take it");
	assert_fails("set " TREE_ENDPOINT " 1=1,", 2, "a comma ends it");
	assert_fails("set " TREE_ENDPOINT " 1=1,,2=2", 2, "nothing before a comma");
	assert_fails("--force list", 2, "--force");
	assert_fails("-b - list", 2, "list");
	assert_fails("-- --version", 2, "--version");
}

static void devices_that_are_none(void **context)
{
	static const char *const bad[] = { "0", "eth0", "01:00", "0000:01:00.8", "fd:", "fd:-1",
					   "fd:x", "fd:0x3", "fd:2147483648", "fd:1,2", "FD:3",
					   "0000:01:00.0/", "../0000:01:00.0" };
	static const char *const commands[] = { "show %s", "set %s 0=1", "clear %s all",
						"enable %s", "disable %s", "bind %s", "unbind %s",
						"grant %s --cpus 1", "grant %s --publish on",
						"dmabufs %s", "watch %s", "why %s",
						"group %s", "report %s" };
	char words[256];

	(void)context;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (size_t j = 0; j < sizeof(commands) / sizeof(*commands); j++) {
			/* one of them is enough for each address, and one address for each */
			if (i && j)
				continue;
			snprintf(words, sizeof(words), commands[j], bad[i]);
			assert_fails(words, 2, bad[i]);
		}
	}
	assert_fails("bind fd:3", 2, "fd:3");
	assert_fails("unbind fd:3", 2, "fd:3");
	assert_fails("grant fd:3 --cpus 1", 2, "fd:3");
	assert_fails("watch fd:3", 2, "fd:3");
	assert_fails("why fd:3", 2, "fd:3");
	assert_fails("group fd:3", 2, "fd:3");
	assert_fails("report fd:3", 2, "fd:3");
}

static void output_that_goes_nowhere(void **context)
{
	(void)context;
	with.out = "/dev/full";
	assert_int_equal(run("list"), 1);
	assert_says(result.err, "standard output");
}

static void version_and_help(void **context)
{
	(void)context;
	assert_runs("--version");
	assert_string_equal(result.out, "tphctl " TPH_VERSION ", libtph " TPH_VERSION "\n");
	assert_runs("-V");
	assert_runs("-h");
	assert_says(result.out,
		    "exit status: 0 ok, 1 failed, 2 usage, 3 not supported, 4 not permitted");
}

static char *slurp(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, OUTPUT_SIZE);

	if (!file || !text || !fread(text, 1, OUTPUT_SIZE - 1, file))
		fail_msg("%s: %s", path, strerror(errno));
	fclose(file);
	return text;
}

/* Names as mdoc writes them: "Ic set", "Fl -force". */
static void assert_manual_has(const char *manual, const char *macro, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %s", macro, name);
	for (const char *at = strstr(manual, text); at; at = strstr(at + 1, text))
		if (strchr(" \n,", at[strlen(text)]))
			return;
	fail_msg("the manual lacks \"%s\"", text);
}

static void help_manual_and_completion_agree(void **context)
{
	char *manual = slurp(TPHCTL_MANUAL), *help;
	char words[128], text[128];

	(void)context;
	assert_runs("--help");
	help = strdup(result.out);
	for (const struct command *command = tphctl_commands; command->name; command++) {
		snprintf(text, sizeof(text), "\n  %s ", command->name);
		assert_says(help, text);
		assert_manual_has(manual, ".It Ic", command->name);
		snprintf(words, sizeof(words), "%s --help", command->name);
		assert_runs(words);
		snprintf(text, sizeof(text), "usage: tphctl %s", command->name);
		assert_says(result.out, text);
		for (int i = 0; i < OPTION_COUNT; i++) {
			snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
			if (!tphctl_options[i].general)
				assert_int_equal(!!(command->options & 1u << i),
						 !!strstr(result.out, text));
		}
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		snprintf(text, sizeof(text), "--%s ", tphctl_options[i].name);
		if (tphctl_options[i].general)
			assert_says(help, text);
		snprintf(text, sizeof(text), "-%s", tphctl_options[i].name);
		assert_manual_has(manual, "Fl", text);
		snprintf(text, sizeof(text), "%c", tphctl_options[i].letter);
		if (tphctl_options[i].letter)
			assert_manual_has(manual, "Fl", text);
	}
	free(help);
	free(manual);
}

/* What bash offers after @words, the last of which may be begun; in result.out, one a line. */
static void complete(const char *words)
{
	char command[4096];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "bash -c '. \"%s\"; TPHCTL_SYSFS=\"%s\"; COMP_WORDS=(tphctl %s); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tphctl; "
		 "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
		 TPHCTL_COMPLETION, TREE, words);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	memset(result.out + 1, 0, sizeof(result.out) - 1);
	result.out[0] = '\n';
	assert_true(fread(result.out + 1, 1, OUTPUT_SIZE - 2, pipe) > 0);
	assert_int_equal(pclose(pipe), 0);
}

static bool offered(const char *word)
{
	char text[256];

	snprintf(text, sizeof(text), "\n%s\n", word);
	return strstr(result.out, text);
}

static void completion_knows_the_table(void **context)
{
	char words[128], text[128];
	unsigned int count = 0;

	(void)context;
	complete("\"\"");
	for (const struct command *command = tphctl_commands; command->name; command++, count++)
		if (!offered(command->name))
			fail_msg("no completion for %s", command->name);
	for (const char *at = result.out + 1; (at = strchr(at, '\n')); at++)
		count--;
	assert_int_equal(count, 0);	/* and none that tphctl does not know */
	complete("--");
	for (int i = 0; i < OPTION_COUNT; i++) {
		snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
		assert_int_equal(offered(text), tphctl_options[i].general);
	}
	for (const struct command *command = tphctl_commands; command->name; command++) {
		snprintf(words, sizeof(words), "%s --", command->name);
		complete(words);
		for (int i = 0; i < OPTION_COUNT; i++) {
			snprintf(text, sizeof(text), "--%s", tphctl_options[i].name);
			if (!tphctl_options[i].general)
				assert_int_equal(offered(text), !!(command->options & 1u << i));
		}
	}
	complete("show 0000:0");
	assert_true(offered(TREE_ENDPOINT));
	complete("-j enable 0000:01:00.0 \"\"");
	assert_true(offered("no-st") && offered("iv") && offered("ds") && offered("widest"));
	complete("bind --driver tph");
	assert_true(offered("tph-vfio-pci"));
	complete("grant --cpus 2 0000:01");
	assert_true(offered(TREE_ENDPOINT));
	complete("grant 0000:01:00.0 --policy \"\"");
	assert_true(offered("no-st") && offered("iv-st") && offered("ds-st"));
	complete("grant 0000:01:00.0 --publish \"\"");
	assert_true(offered("on") && offered("off"));
	complete("bind --publish on 0000:01");
	assert_true(offered(TREE_ENDPOINT));
	complete("grant 0000:01:00.0 --cpus n");
	assert_true(offered("none"));
	complete("clear 0000:01:00.0 a");
	assert_true(offered("all"));
}

/* The manual's table: what each status stands for, of each command that can end so. */
static void statuses(void **context)
{
	static const struct {
		int status;
		const char *words, *simulation;
	} ends[] = {
		{ 0, "list", NULL }, { 0, "show " TREE_ENDPOINT, NULL }, { 0, "why " TREE_ENDPOINT, NULL },
		{ 0, "group " TREE_ENDPOINT, NULL }, { 0, "set " TREE_ENDPOINT " 0=1", NULL },
		{ 0, "clear " TREE_ENDPOINT " all", NULL }, { 0, "enable " TREE_ENDPOINT, NULL },
		{ 0, "disable " TREE_ENDPOINT, NULL }, { 0, "grant " TREE_ENDPOINT " --cpus 1-3", NULL },
		{ 0, "bind " TREE_NVME, NULL }, { 0, "unbind " TREE_ENDPOINT, NULL },
		{ 0, "--help", NULL }, { 0, "--version", NULL }, { 0, "bind --help", NULL },
		{ 1, "show 0000:09:00.0", NULL }, { 1, "why 0000:09:00.0", NULL },
		{ 1, "group 0000:09:00.0", NULL }, { 1, "report 0000:09:00.0", NULL },
		{ 1, "bind 0000:09:00.0", NULL }, { 1, "unbind 0000:09:00.0", NULL },
		{ 1, "grant 0000:09:00.0 --cpus 1", NULL }, { 1, "dmabufs 0000:09:00.0", NULL },
		{ 1, "set " TREE_ENDPOINT " 0=8", NULL }, { 1, "set " TREE_ENDPOINT " 100=1", NULL },
		{ 1, "grant " TREE_ENDPOINT " --cpus 9", NULL }, { 1, "unbind " TREE_NVME, NULL },
		{ 1, "set " TREE_ENDPOINT " 0=1", "held" }, { 1, "unbind " TREE_ENDPOINT, "held" },
		{ 1, "bind " TREE_NVME " --driver x", NULL }, { 1, "-b /nonexistent", NULL },
		{ 1, "list --sysfs /nonexistent", NULL }, { 1, "show --sysfs /nonexistent 01:00.0", NULL },
		{ 1, "why --sysfs /nonexistent 01:00.0", NULL },
		{ 2, "", NULL }, { 2, "lst", NULL }, { 2, "list x", NULL }, { 2, "show", NULL },
		{ 2, "show x", NULL }, { 2, "why x", NULL }, { 2, "group x", NULL }, { 2, "report x", NULL },
		{ 2, "set " TREE_ENDPOINT " x", NULL }, { 2, "clear " TREE_ENDPOINT " x", NULL },
		{ 2, "enable " TREE_ENDPOINT " x", NULL }, { 2, "disable", NULL }, { 2, "bind x", NULL },
		{ 2, "bind " TREE_NVME " --policy x", NULL }, { 2, "bind " TREE_NVME " --cpus 9-2", NULL },
		{ 2, "unbind x", NULL }, { 2, "grant " TREE_ENDPOINT, NULL }, { 2, "dmabufs x", NULL },
		{ 2, "watch " TREE_ENDPOINT " --count 0", NULL }, { 2, "--x", NULL }, { 2, "--force list", NULL },
		{ 3, "show " TREE_CONVENTIONAL, NULL }, { 3, "why " TREE_CONVENTIONAL, NULL },
		{ 3, "grant " TREE_NVME " --cpus 1", NULL }, { 3, "bind " TREE_PORT, NULL },
		{ 3, "set " TREE_ENDPOINT " 0=1", "stock" }, { 3, "enable " TREE_ENDPOINT, "stock" },
		{ 3, "clear " TREE_ENDPOINT " all", "stock" }, { 3, "dmabufs " TREE_ENDPOINT, NULL },
		{ 3, "enable " TREE_ENDPOINT " ds", "policy=iv-st" }, { 3, "watch " TREE_NVME, NULL },
		{ 4, "set " TREE_ENDPOINT " 0=5", NULL }, { 4, "set " TREE_ENDPOINT " 0=1", "policy=no-st" },
		{ 4, "enable " TREE_ENDPOINT, "node-error=13 group-error=13" },
	};

	(void)context;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		why_setup(NULL);
		with.simulation = ends[i].simulation;
		if (run(ends[i].words) != ends[i].status)
			explain(ends[i].words, ends[i].status, "another status");
		if (ends[i].status && !result.err[0])
			explain(ends[i].words, ends[i].status, "no word of it");
	}
}

/* Where it is not mounted, it is not the device that is missing. */
static void machines_without_sysfs(void **context)
{
	static const char *const commands[] = { "list", "show 01:00.0", "why 01:00.0", "group 01:00.0",
						"bind 01:00.0", "unbind 01:00.0",
						"grant 01:00.0 --cpus 1", "dmabufs 01:00.0",
						"report 01:00.0" };

	(void)context;
	tree_remove(TREE "/bus");
	tree_remove(TREE "/devices");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		assert_fails(commands[i], 1, "there is no sysfs");
		assert_says(result.out, "mount -t sysfs sysfs " TREE);
	}
	assert_fails("list --sysfs /nonexistent", 1, "give a folder with a sysfs");
}

/* As in a container: nothing is written, and root is not told to be root. */
static void machines_with_a_sysfs_that_is_read_only(void **context)
{
	static const char *const commands[] = { "bind " TREE_NVME, "unbind " TREE_ENDPOINT,
						"grant " TREE_ENDPOINT " --cpus 1",
						"grant " TREE_ENDPOINT " --policy no-st" };

	(void)context;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		with.simulation = "read-only";
		assert_fails(commands[i], 4, "remount,rw " TREE);
		assert_says(result.out, "is mounted read-only");
	}
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_true(driver_is(TREE_ENDPOINT, "tph-vfio-pci"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(words_that_make_no_sense, setup),
		cmocka_unit_test_setup(devices_that_are_none, setup),
		cmocka_unit_test_setup(output_that_goes_nowhere, setup),
		cmocka_unit_test_setup(statuses, setup),
		cmocka_unit_test_setup(machines_without_sysfs, setup),
		cmocka_unit_test_setup(machines_with_a_sysfs_that_is_read_only, setup),
		cmocka_unit_test_setup(version_and_help, setup),
		cmocka_unit_test_setup(help_manual_and_completion_agree, setup),
		cmocka_unit_test_setup(completion_knows_the_table, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl words", tests, NULL, cleanup);
}
