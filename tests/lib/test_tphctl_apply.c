// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: what is saved for a device, and apply. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tphctl_run.h"

#define SAVED		TREE "/etc/"
#define NVME_IDS	"8086:0a54"

static void save(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "etc/%s", name);
	tree_text(TREE, path, text);
}

static bool saved_is(const char *name, const char *text)
{
	char path[512], found[1024] = "";
	FILE *file;

	snprintf(path, sizeof(path), SAVED "%s", name);
	file = fopen(path, "re");
	if (!file)
		return !text;
	found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
	fclose(file);
	return text && !strcmp(found, text);
}

/* Drafts count, too. */
static unsigned int count_saved(void)
{
	DIR *folder = opendir(SAVED);
	unsigned int count = 0;
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	if (folder)
		closedir(folder);
	return count;
}

static void files_that_are_wrong(void **context)
{
	static const struct {
		const char *text, *place, *reason;
	} wrong[] = {
		{ "policy\n", ":1", "there is no = in it" },
		{ "# a comment\n\npolice=iv-st\n", ":3", "there is no such key: police" },
		{ "Policy=iv-st\n", ":1", "there is no such key: Policy" },
		{ "=iv-st\n", ":1", "there is no such key" },
		{ "policy=iv\n", ":1", "policy=iv: there is no such policy" },
		{ "policy=\n", ":1", "it has no value: policy" },
		{ "policy=iv-st\npolicy=iv-st\n", ":2", "given before: policy" },
		{ "cpus=2-\n", ":1", "cpus=2-: " },
		{ "cpus=2-9\n", ":1", "CPU 8 does not exist in this machine" },
		{ "publish=1\n", ":1", "publish=1: it is neither" },
		{ "driver=../x\n", ":1", "not the name of a driver" },
		{ "driver=none\ncpus=1\n", TREE_NVME, "nobody to take them" },
		{ "cpus=1 driver=vfio-pci\n", ":1", "cpus=1 driver=vfio-pci: " },
		{ "policy=iv-st\ncpus\x1b[2J=1\n", ":2", "cpus\\x1b[2J" },
	};
	char zero[] = "cpus=1\n\0policy=ds-st\n";

	(void)context;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		save(TREE_NVME, wrong[i].text);
		assert_int_equal(run("apply " TREE_NVME), 1);
		if (!strstr(result.err, wrong[i].reason) || !strstr(result.err, wrong[i].place) ||
		    !strstr(result.err, "file "))
			explain(wrong[i].text, __LINE__, wrong[i].reason);
		assert_int_equal(run("apply"), 1);
		assert_string_equal(result.log, "");
	}
	tree_put(TREE, "etc/" TREE_NVME, zero, sizeof(zero) - 1);
	assert_fails("apply " TREE_NVME, 1, "zero byte");
	assert_true(driver_is(TREE_NVME, "nvme"));
}

static void files_that_others_could_write(void **context)
{
	char long_one[9000];

	(void)context;
	save(TREE_NVME, "policy=iv-st\n");
	assert_int_equal(chmod(SAVED TREE_NVME, 0664), 0);
	assert_fails("apply " TREE_NVME, 1, "others than its owner can write it");
	assert_int_equal(chmod(SAVED TREE_NVME, 0646), 0);
	assert_fails("apply " TREE_NVME, 1, SAVED TREE_NVME);
	assert_int_equal(chmod(SAVED TREE_NVME, 0644), 0);
	assert_int_equal(chmod(SAVED, 0777), 0);
	assert_fails("apply " TREE_NVME, 1, "others than its owner can write it");
	assert_fails("apply", 1, TREE "/etc");
	assert_fails("bind " TREE_NVME " --save", 1, "others than its owner can write it");
	assert_int_equal(chmod(SAVED, 0755), 0);
	if (!geteuid()) {
		assert_int_equal(chown(SAVED TREE_NVME, 65534, 0), 0);
		assert_fails("apply " TREE_NVME, 1, "it belongs to another user");
	}
	remove(SAVED TREE_NVME);
	assert_int_equal(mkdir(SAVED TREE_NVME, 0755), 0);
	assert_fails("apply " TREE_NVME, 1, "it is no file");
	remove(SAVED TREE_NVME);
	assert_int_equal(mkfifo(SAVED TREE_NVME, 0644), 0);
	assert_fails("apply " TREE_NVME, 1, "it is no file");
	remove(SAVED TREE_NVME);
	memset(long_one, '#', sizeof(long_one));
	tree_put(TREE, "etc/" TREE_NVME, long_one, sizeof(long_one));
	assert_fails("apply " TREE_NVME, 1, "it is too long");
	assert_true(driver_is(TREE_NVME, "nvme"));
	remove(SAVED TREE_NVME);
	remove(SAVED);
	touch("etc");
	assert_fails("apply", 1, "it is no folder");
	remove(TREE "/etc");
}

static void names_that_are_wrong(void **context)
{
	static const struct {
		const char *name, *remedy;
	} wrong[] = {
		{ "04:00.0", "call it " TREE_NVME }, { "0000:04:00:0", "name it as" },
		{ "8086:0A54", "name it as" }, { "README", "name it as" },
		{ "0000:0E:00.0", "call it 0000:0e:00.0" }, { "8086:0a54x", "name it as" },
		{ "\x1b]0;x", "\\x1b]0;x" }, { "8086:a54", "name it as" },
	};
	char path[256];

	(void)context;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		save(wrong[i].name, "policy=iv-st\n");
		assert_int_equal(run("apply"), 1);
		if (!strstr(result.err, wrong[i].remedy) ||
		    !strstr(result.err, "this is not the name of a device"))
			explain(wrong[i].name, __LINE__, wrong[i].remedy);
		snprintf(path, sizeof(path), SAVED "%s", wrong[i].name);
		remove(path);
	}
	/* what others leave in such a folder is no mistake */
	save("." TREE_NVME ".Ab12cD", "x");
	save(TREE_NVME "~", "x");
	save(TREE_NVME ".dpkg-old", "x");
	save(TREE_NVME ".rpmnew", "x");
	assert_runs("apply");
	assert_says(result.out, "nothing is saved in ");
	assert_true(driver_is(TREE_NVME, "nvme"));
}

static void words_of_apply_and_save(void **context)
{
	(void)context;
	assert_fails("apply fd:3", 2, "fd:3");
	assert_fails("apply " TREE_NVME " eth0", 2, "eth0");
	assert_fails("apply " TREE_NVME, 1, "tphctl bind " TREE_NVME " --save");
	assert_fails("apply 0000:09:00.0", 1, "0000:09:00.0");
	assert_fails("bind " TREE_NVME " --config /tmp", 2, "without --save nothing is saved");
	assert_fails("unbind " TREE_NVME " --config /tmp", 2, "without --save nothing is saved");
	assert_fails("grant " TREE_NVME " --cpus 1 --save", 2, "save");
	assert_fails("apply --cpus 1", 2, "cpus");
	/* what is saved here is not for the devices of a tree */
	tree_make(TREE ".other");
	assert_fails("--sysfs " TREE ".other apply", 2, "give --config DIR");
	assert_fails("--sysfs " TREE ".other bind " TREE_NVME " --save", 2, "give --config DIR");
	tree_text(TREE ".other", "saved/" TREE_NVME, "cpus=3\n");
	tree_remove(TREE ".other");
	assert_true(driver_is(TREE_NVME, "nvme"));
}

static void save_comes_after_success_alone(void **context)
{
	(void)context;
	touch("bus/pci/drivers/tph-vfio-pci/refuses");
	assert_fails("bind " TREE_NVME " --save", 1, "everything is as it was (nvme)");
	assert_int_equal(count_saved(), 0);
	save(TREE_NVME, "policy=no-st\n");
	assert_fails("bind " TREE_NVME " --policy ds-st --save", 1, "everything is as it was");
	assert_true(saved_is(TREE_NVME, "policy=no-st\n"));
	remove(TREE "/bus/pci/drivers/tph-vfio-pci/refuses");
	tree_put(TREE, "interrupt", "unbind 15\n", 10);
	assert_int_equal(run("bind " TREE_NVME " --policy ds-st --save"), 1);
	assert_true(saved_is(TREE_NVME, "policy=no-st\n"));
	assert_int_equal(count_saved(), 1);
	/* where it cannot be saved, nothing is begun */
	remove(SAVED TREE_NVME);
	assert_fails("bind " TREE_NVME " --save --config /dev/null", 1, "it is no folder");
	assert_fails("bind " TREE_NVME " --save --config /proc/no/such", 1, "/proc/no/such");
	assert_string_equal(result.log, "");
	assert_true(driver_is(TREE_NVME, "nvme"));
	/* a folder has its name: it is bound, and that is said */
	assert_int_equal(mkdir(SAVED TREE_NVME, 0755), 0);
	save(TREE_NVME "/x", "");
	assert_int_equal(run("bind " TREE_NVME " --save"), 1);
	assert_says(result.err, "it is bound, but not saved");
	assert_int_equal(count_saved(), 1);
	remove(SAVED TREE_NVME "/x");
	remove(SAVED TREE_NVME);
}

static void what_was_saved_comes_back(void **context)
{
	struct stat status;

	(void)context;
	umask(077);
	assert_runs("bind " TREE_NVME " --policy ds-st --cpus 2-3,5 --save");
	assert_says(result.out, "; saved in " SAVED TREE_NVME "\n");
	assert_true(saved_is(TREE_NVME, "# of tphctl bind --save, for tphctl apply\npolicy=ds-st\n"
			     "cpus=2-3,5\n"));
	assert_int_equal(stat(SAVED TREE_NVME, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0644);
	assert_int_equal(count_saved(), 1);
	/* as after a reboot: the kernel's own driver has it */
	tree_remove(TREE "/bus");
	assert_int_equal(rename(TREE "/etc", TREE ".kept"), 0);
	tree_make(TREE);
	assert_int_equal(rename(TREE ".kept", TREE "/etc"), 0);
	assert_runs("apply " TREE_NVME);
	assert_string_equal(result.out, TREE_NVME ": bound to tph-vfio-pci (before: nvme); "
			    "policy ds-st, CPUs 2-3,5\n");
	assert_true(driver_is(TREE_NVME, "tph-vfio-pci"));
	assert_true(attribute_is(TREE_NVME, "policy", "ds-st"));
	assert_true(attribute_is(TREE_NVME, "cpus", "2-3,5"));
	/* again: not a write, though it is open */
	touch("bus/pci/devices/" TREE_NVME "/open");
	assert_runs("apply");
	assert_string_equal(result.log, "");
	assert_runs("-j apply " TREE_NVME);
	assert_says(result.out, "\"result\":\"as it was\"");
	/* and forgotten */
	remove(TREE "/bus/pci/devices/" TREE_NVME "/open");
	assert_runs("unbind " TREE_NVME " --save");
	assert_says(result.out, "; nothing is saved for it\n");
	assert_int_equal(count_saved(), 0);
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_fails("apply " TREE_NVME, 1, "nothing is saved for it");
}

/* All words are kept as they were given, with a driver of another name. */
static void all_that_can_be_saved(void **context)
{
	(void)context;
	assert_runs("-j bind " TREE_NVME " --driver vfio-pci --save");
	assert_says(result.out, "\"saved\":\"" SAVED TREE_NVME "\"");
	assert_true(saved_is(TREE_NVME, "# of tphctl bind --save, for tphctl apply\n"
			     "driver=vfio-pci\n"));
	assert_runs("bind " TREE_ENDPOINT " --cpus all --save");
	assert_true(saved_is(TREE_ENDPOINT, "# of tphctl bind --save, for tphctl apply\ncpus=all\n"));
	save(TREE_ENDPOINT, "  cpus = 1-2 \t\r\n\r\n   # done\n  policy=ds-st");
	assert_runs("apply " TREE_ENDPOINT " " TREE_NVME);
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "1-2"));
	assert_true(attribute_is(TREE_ENDPOINT, "policy", "ds-st"));
	assert_true(driver_is(TREE_NVME, "vfio-pci"));
}

static void an_address_counts_before_ids(void **context)
{
	(void)context;
	save(NVME_IDS, "cpus=6\n");
	assert_runs("apply");
	assert_says(result.out, TREE_NVME ": bound to tph-vfio-pci");
	assert_true(attribute_is(TREE_NVME, "cpus", "6"));
	save(TREE_NVME, "cpus=7\n");
	assert_runs("apply");
	assert_null(strstr(result.log, "cpus: 6"));
	assert_true(attribute_is(TREE_NVME, "cpus", "7"));
	/* so to forget it is not enough to remove the file */
	assert_runs("unbind " TREE_NVME " --save");
	assert_true(saved_is(TREE_NVME, "# of tphctl unbind --save\ndriver=none\n"));
	assert_runs("apply");
	assert_says(result.out, TREE_NVME ": left alone, by ");
	assert_true(driver_is(TREE_NVME, "nvme"));
	/* for one that was not bound, too */
	remove(SAVED TREE_NVME);
	assert_fails("unbind " TREE_NVME, 1, "not a VFIO driver");
	assert_runs("unbind " TREE_NVME " --save");
	assert_says(result.out, "with nvme already; saved in ");
	assert_true(saved_is(TREE_NVME, "# of tphctl unbind --save\ndriver=none\n"));
}

/* Each has its own result; the first failure decides. */
static void several_at_once(void **context)
{
	struct json_object *document, *devices, *one;

	(void)context;
	save("0000:09:00.0", "cpus=1\n");
	save(TREE_ENDPOINT, "cpus=1\n");
	save(TREE_NVME, "driver=qat-vfio-pci\n");
	save(TREE_INTEGRATED, "policy=ds-st\n");
	assert_int_equal(run("apply"), 1);
	assert_says(result.out, "0000:09:00.0: not there\n");
	assert_says(result.out, TREE_INTEGRATED ": bound to tph-vfio-pci");
	assert_says(result.err, "tphctl: driver qat-vfio-pci: its module is not loaded");
	assert_says(result.err, "tphctl: devices 1 of 4: they are not as it was saved");
	assert_true(attribute_is(TREE_ENDPOINT, "cpus", "1"));
	assert_true(attribute_is(TREE_INTEGRATED, "policy", "ds-st"));
	assert_true(driver_is(TREE_NVME, "nvme"));
	assert_int_equal(run("-j apply"), 1);
	assert_string_equal(result.err, "");
	document = parse(result.out);
	devices = member(document, "devices");
	assert_int_equal(json_object_array_length(devices), 4);
	one = json_object_array_get_idx(devices, 2);
	assert_string_equal(text_of(one, "device"), TREE_NVME);
	assert_string_equal(text_of(one, "result"), "failed");
	assert_string_equal(text_of(member(one, "error"), "value"), "qat-vfio-pci");
	assert_string_equal(text_of(json_object_array_get_idx(devices, 3), "result"), "absent");
	assert_int_equal(number_of(member(document, "error"), "exit"), 1);
	json_object_put(document);
	/* by name, one that is not there is a failure */
	assert_int_equal(run("apply 0000:09:00.0 " TREE_ENDPOINT), 1);
	assert_says(result.err, "devices 1 of 2");
}

static void a_module_that_is_not_loaded(void **context)
{
	(void)context;
	save(TREE_NVME, "cpus=1\n");
	assert_int_equal(mkdir(TREE "/loadable", 0755), 0);
	assert_int_equal(rename(TREE "/bus/pci/drivers/tph-vfio-pci", TREE "/loadable/tph-vfio-pci"), 0);
	assert_runs("apply " TREE_NVME);
	assert_int_equal(strncmp(result.log, "modprobe tph-vfio-pci\n", 22), 0);
	assert_true(driver_is(TREE_NVME, "tph-vfio-pci"));
	assert_runs("apply " TREE_NVME);
	assert_string_equal(result.log, "");
	tree_remove(TREE "/bus/pci/drivers/tph-vfio-pci");
	assert_int_equal(run("apply " TREE_NVME), 1);
	assert_says(result.log, "modprobe tph-vfio-pci\n");
	assert_says(result.err, "its module is not loaded; modprobe tph-vfio-pci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(files_that_are_wrong, setup),
		cmocka_unit_test_setup(files_that_others_could_write, setup),
		cmocka_unit_test_setup(names_that_are_wrong, setup),
		cmocka_unit_test_setup(words_of_apply_and_save, setup),
		cmocka_unit_test_setup(save_comes_after_success_alone, setup),
		cmocka_unit_test_setup(what_was_saved_comes_back, setup),
		cmocka_unit_test_setup(all_that_can_be_saved, setup),
		cmocka_unit_test_setup(an_address_counts_before_ids, setup),
		cmocka_unit_test_setup(several_at_once, setup),
		cmocka_unit_test_setup(a_module_that_is_not_loaded, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl apply", tests, NULL, cleanup);
}
