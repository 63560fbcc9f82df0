// SPDX-License-Identifier: MIT
/* Lines of the log are JSON, byte for byte as a library writes it. */
#include "harness.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "instrument/line.h"

#define FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static struct line line;

/* The line so far is what @object becomes. */
static void assert_same(struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(object, FLAGS);

	line_end(&line);
	assert_int_equal(line.text[line.length - 1], '\n');
	if (line.length != strlen(text) + 1 || memcmp(line.text, text, strlen(text)))
		fail_msg("%.*s is not %s", (int)line.length, line.text, text);
	json_object_put(object);
}

static void nobody_wants_it(void **state)
{
	(void)state;
	line_begin(NULL);
	line_string(NULL, "a", "b");
	line_number(NULL, "a", 1);
	line_hex(NULL, "a", 1, 4);
	line_flag(NULL, "a", true);
	line_open(NULL, "a");
	line_close(NULL);
	line_open_array(NULL, "a");
	line_close_array(NULL);
	line_end(NULL);
}

static void every_byte_of_a_string(void **state)
{
	(void)state;
	for (unsigned int byte = 1; byte < 256; byte++) {
		struct json_object *object = json_object_new_object();
		const char text[] = { 'a', (char)byte, 'b', (char)byte, '\0' };

		line_begin(&line);
		line_string(&line, "key", text);
		json_object_object_add(object, "key", json_object_new_string(text));
		assert_same(object);
	}
}

static void numbers_of_every_length(void **state)
{
	struct json_object *object = json_object_new_object();
	char key[16], text[32];

	(void)state;
	line_begin(&line);
	for (unsigned int i = 0; i < 63; i++) {
		const uint64_t values[] = { UINT64_C(1) << i, (UINT64_C(1) << i) - 1 };

		for (int j = 0; j < 2; j++) {
			snprintf(key, sizeof(key), "n%u.%d", i, j);
			line_number(&line, key, values[j]);
			json_object_object_add(object, key,
					       json_object_new_int64((int64_t)values[j]));
			for (unsigned int digits = 1; digits < 17; digits += 5) {
				snprintf(key, sizeof(key), "h%u.%d.%u", i, j, digits);
				line_hex(&line, key, values[j], digits);
				snprintf(text, sizeof(text), "0x%0*" PRIx64, (int)digits, values[j]);
				json_object_object_add(object, key, json_object_new_string(text));
			}
		}
	}
	assert_same(object);
	line_begin(&line);
	line_number(&line, "n", UINT64_MAX);
	line_hex(&line, "h", UINT64_MAX, 16);
	line_end(&line);
	assert_int_equal(line.length, strlen("{\"n\":18446744073709551615,\"h\":\"0xffffffffffffffff\"}\n"));
}

static void objects_in_arrays_in_objects(void **state)
{
	struct json_object *object = json_object_new_object(), *array = json_object_new_array();

	(void)state;
	line_begin(&line);
	line_open_array(&line, "list");
	for (int i = 0; i < 3; i++) {
		struct json_object *element = json_object_new_object();
		struct json_object *inner = json_object_new_object();

		line_open(&line, NULL);
		line_flag(&line, "even", i % 2 == 0);
		line_open(&line, "inner");
		json_object_object_add(element, "even", json_object_new_boolean(i % 2 == 0));
		if (i) {
			line_string(&line, "a", "}{][,\"");
			line_number(&line, "b", 7);
			json_object_object_add(inner, "a", json_object_new_string("}{][,\""));
			json_object_object_add(inner, "b", json_object_new_int64(7));
		}
		line_close(&line);
		line_close(&line);
		json_object_object_add(element, "inner", inner);
		json_object_array_add(array, element);
	}
	line_close_array(&line);
	line_open_array(&line, "none");
	line_close_array(&line);
	line_flag(&line, "end", true);
	json_object_object_add(object, "list", array);
	json_object_object_add(object, "none", json_object_new_array());
	json_object_object_add(object, "end", json_object_new_boolean(true));
	assert_same(object);
}

static void long_ones_after_short_ones(void **state)
{
	char *text = malloc(1 << 20);

	(void)state;
	memset(text, '\x01', (1 << 20) - 1);
	text[(1 << 20) - 1] = '\0';
	for (int i = 0; i < 3; i++) {
		struct json_object *object = json_object_new_object();
		const char *value = i == 1 ? text : "short";

		line_begin(&line);
		line_string(&line, "key", value);
		json_object_object_add(object, "key", json_object_new_string(value));
		assert_same(object);
	}
	free(text);
	line_free(&line);
	assert_null(line.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_wants_it),
		cmocka_unit_test(every_byte_of_a_string),
		cmocka_unit_test(numbers_of_every_length),
		cmocka_unit_test(objects_in_arrays_in_objects),
		cmocka_unit_test(long_ones_after_short_ones),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
