// SPDX-License-Identifier: MIT
#include "configuration.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "host/file.h"
#include "host/reason.h"

#define FILE_MAX (1u << 20)
#define DEPTH	 8

static void *grown(void *array, size_t count, size_t size)
{
	array = realloc(array, (count + 1) * size);
	if (!array)
		abort();
	return array;
}

/* Takes @text, and keeps it as long as the configuration. */
static const char *keep(struct configuration *configuration, char *text)
{
	if (!text)
		abort();
	configuration->texts = grown(configuration->texts, configuration->text_count,
				     sizeof(*configuration->texts));
	configuration->texts[configuration->text_count++] = text;
	return text;
}

/* One value as text, to be freed; NULL: there is none of that type. */
static char *text_of(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	switch (json_object_get_type(value)) {
	case json_type_string:
		/* a NUL in it would end it */
		return strlen(text) == (size_t)json_object_get_string_len(value) ? strdup(text) : NULL;
	case json_type_int:
		return strdup(text);
	case json_type_boolean:
		return strdup(json_object_get_boolean(value) ? "on" : "off");
	default:
		return NULL;
	}
}

static char *joined(struct json_object *list)
{
	char *text = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		char *one = text_of(json_object_array_get_idx(list, i)), *longer = NULL;

		if (one && asprintf(&longer, "%s%s%s", text ? text : "", text ? "+" : "", one) < 0)
			abort();
		free(one);
		free(text);
		text = longer;
		if (!text)
			return NULL;
	}
	return text;
}

static const char *value_of(struct configuration *configuration, const char *where, const char *key,
			    struct json_object *value, char **error)
{
	char *text = json_object_is_type(value, json_type_array) ? joined(value) : text_of(value);

	if (text)
		return keep(configuration, text);
	reason_give(error, "%s%s: not a string, a whole number, true or false, nor an array of these",
	       where, key);
	return NULL;
}

static struct knobs_pair *add_pair(struct knobs_pair *pairs, size_t *count, const char *key,
				   const char *value)
{
	pairs = grown(pairs, *count, sizeof(*pairs));
	pairs[(*count)++] = (struct knobs_pair){ .key = key, .value = value };
	return pairs;
}

static int read_function(struct configuration *configuration, size_t number,
			 struct json_object *object, char **error)
{
	struct configuration_function *function;
	char where[48];

	snprintf(where, sizeof(where), "functions[%zu].", number);
	if (!json_object_is_type(object, json_type_object))
		return reason_give(error, "functions[%zu]: not an object of keys", number);
	configuration->functions = grown(configuration->functions, configuration->function_count,
					 sizeof(*configuration->functions));
	function = &configuration->functions[configuration->function_count++];
	*function = (struct configuration_function){ 0 };
	json_object_object_foreach(object, key, value) {
		const char *text = value_of(configuration, where, key, value, error);

		if (!text)
			return -1;
		if (!strcmp(key, "model"))
			function->model = text;
		else
			function->pairs = add_pair(function->pairs, &function->count,
						   keep(configuration, strdup(key)), text);
	}
	return 0;
}

static int read_functions(struct configuration *configuration, struct json_object *list,
			  char **error)
{
	int ret = 0;

	if (!json_object_is_type(list, json_type_array))
		return reason_give(error, "functions: not an array of objects");
	for (size_t i = 0; i < json_object_array_length(list) && !ret; i++)
		ret = read_function(configuration, i, json_object_array_get_idx(list, i), error);
	return ret;
}

static int read_root(struct configuration *configuration, struct json_object *root, char **error)
{
	if (!json_object_is_type(root, json_type_object))
		return reason_give(error, "it is no JSON object");
	json_object_object_foreach(root, key, value) {
		const char *text;

		if (!strcmp(key, "functions")) {
			if (read_functions(configuration, value, error))
				return -1;
			continue;
		}
		text = value_of(configuration, "", key, value, error);
		if (!text)
			return -1;
		configuration->options = add_pair(configuration->options, &configuration->option_count,
						  keep(configuration, strdup(key)), text);
	}
	return 0;
}

static int parse(struct configuration *configuration, const char *text, size_t size, char **error)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	struct json_object *root;
	int ret;

	if (!tokener)
		abort();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* with the NUL, which ends a word */
	root = json_tokener_parse_ex(tokener, text, (int)size + 1);
	if (strlen(text) < size)
		ret = reason_give(error, "it is no JSON at byte %zu: a NUL", strlen(text));
	else if (json_tokener_get_error(tokener) != json_tokener_success)
		ret = reason_give(error, "it is no JSON at byte %zu: %s",
			     json_tokener_get_parse_end(tokener),
			     json_tokener_error_desc(json_tokener_get_error(tokener)));
	else
		ret = read_root(configuration, root, error);
	json_object_put(root);
	json_tokener_free(tokener);
	return ret;
}

int configuration_read(struct configuration *configuration, const char *path, char **error)
{
	size_t size;
	char *text;
	int ret;

	*configuration = (struct configuration){ 0 };
	text = file_read(path, FILE_MAX, &size, error);
	if (!text)
		return -1;
	ret = parse(configuration, text, size, error);
	free(text);
	if (ret)
		configuration_free(configuration);
	return ret;
}

void configuration_free(struct configuration *configuration)
{
	for (size_t i = 0; i < configuration->function_count; i++)
		free(configuration->functions[i].pairs);
	for (size_t i = 0; i < configuration->text_count; i++)
		free(configuration->texts[i]);
	free(configuration->functions);
	free(configuration->options);
	free(configuration->texts);
	*configuration = (struct configuration){ 0 };
}
