// SPDX-License-Identifier: MIT
/* tphctl as its users meet it: watch. */
#include <string.h>

#include "tphctl_run.h"

static void watches_that_end_in_failure(void **context)
{
	struct json_object *document;
	char *last;

	(void)context;
	assert_fails("watch 0000:09:00.0", 1, "there is no such PCI device");
	assert_fails("watch " TREE_NVME, 3, "see tphctl why");
	with.simulation = "uevent-error=93";
	assert_fails("watch " TREE_ENDPOINT, 1, "netlink");
	tree_put(TREE, "script", "fail=5\n", 7);
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.err, "cannot be watched: Input/output error");
	with.out = "/dev/full";
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.err, "standard output");

	tree_put(TREE, "script", "nothing\nunbind\n", 15);
	assert_int_equal(run("watch " TREE_ENDPOINT), 1);
	assert_says(result.out, " targets none, requester off, revocations 0\n");
	assert_null(strstr(strchr(result.out, '\n') + 1, "\n"));
	assert_says(result.err, "it was unbound from its driver, or removed; tphctl bind");

	tree_make(TREE);
	tree_put(TREE, "script", "unbind\n", 7);
	assert_int_equal(run("-j watch " TREE_ENDPOINT), 1);
	assert_string_equal(result.err, "");
	last = strchr(result.out, '\n') + 1;
	document = parse(last);
	assert_non_null(document);
	assert_int_equal(number_of(member(document, "error"), "exit"), 1);
	assert_false(json_object_object_get_ex(document, "targets", NULL));
	json_object_put(document);
}

static void watch_prints_each_change(void **context)
{
	static const char script[] = "nothing\ntargets=2-3;requester=iv 16\n"
				     "targets=2;revocations=1\nrevocations=2\nnothing\n"
				     "targets=\nrequester=off\ninterrupt\n";
	struct json_object *document, *changed;
	char *line, *rest = NULL;

	(void)context;
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_runs("watch 01:00.0 --count 4");
	line = strtok_r(result.out, "\n", &rest);
	assert_true(line[4] == '-' && line[10] == 'T' && line[19] == '.' &&
		    (line[23] == '+' || line[23] == '-'));
	assert_string_equal(line + 28, "  targets none, requester off, revocations 0");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets 2-3 (was none), requester iv 16 (was off)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets 2 (was 2-3), revocations 1 (was 0)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  revocations 2 (was 1)");
	line = strtok_r(NULL, "\n", &rest);
	assert_string_equal(line + 28, "  targets none (was 2)");
	assert_null(strtok_r(NULL, "\n", &rest));
	assert_string_equal(result.err, "");
	assert_string_equal(result.log, "");	/* nothing was opened or written */

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_int_equal(run("watch " TREE_ENDPOINT), 128 + 2);	/* SIGINT, at its end */
	assert_says(result.out, "requester off (was iv 16)\n");

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	assert_runs("watch -j " TREE_ENDPOINT " --count 2");
	rest = NULL;
	line = strtok_r(result.out, "\n", &rest);
	document = parse(line);
	assert_int_equal(number_of(document, "version"), 1);
	assert_string_equal(text_of(document, "command"), "watch");
	assert_string_equal(text_of(document, "device"), TREE_ENDPOINT);
	assert_int_equal(json_object_array_length(member(document, "changed")), 0);
	json_object_put(document);
	line = strtok_r(NULL, "\n", &rest);
	line = strtok_r(NULL, "\n", &rest);
	document = parse(line);
	assert_string_equal(text_of(document, "targets"), "2");
	assert_string_equal(text_of(document, "requester"), "iv 16");
	assert_true(json_object_is_type(member(document, "revocations"), json_type_int));
	assert_int_equal(number_of(document, "revocations"), 1);
	assert_true(strlen(text_of(document, "time")) == 28);
	changed = member(document, "changed");
	assert_int_equal(json_object_array_length(changed), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(changed, 0)),
			    "targets");
	assert_string_equal(json_object_get_string(json_object_array_get_idx(changed, 1)),
			    "revocations");
	json_object_put(document);
	assert_null(strtok_r(NULL, "\n", &rest));	/* and no document of the whole */

	tree_make(TREE);
	tree_put(TREE, "script", script, sizeof(script) - 1);
	with.input = "# one\nwatch " TREE_ENDPOINT " --count 1\nshow " TREE_ENDPOINT "\n";
	assert_runs("-j -b -");
	rest = NULL;
	for (int i = 0; i < 2; i++) {
		document = parse(strtok_r(i ? NULL : result.out, "\n", &rest));
		assert_int_equal(number_of(document, "line"), 2);
		json_object_put(document);
	}
	document = parse(strtok_r(NULL, "\n", &rest));
	assert_string_equal(text_of(document, "command"), "show");
	json_object_put(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(watches_that_end_in_failure, setup),
		cmocka_unit_test_setup(watch_prints_each_change, setup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tphctl watch", tests, NULL, cleanup);
}
