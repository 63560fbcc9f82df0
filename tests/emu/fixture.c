// SPDX-License-Identifier: MIT
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static void make(struct fixture *f, const char *keys)
{
	struct knobs knobs;
	char text[1024], *error;

	snprintf(text, sizeof(text), "socket=/nowhere,name=ep,rid=01:00.0%s%s", *keys ? "," : "",
		 keys);
	if (knobs_parse(&knobs, &exerciser_model, text, 0, &error))
		fail_msg("%s", error);
	assert_int_equal(endpoint_init(&f->endpoint, &knobs, &f->log, NULL), 0);
	assert_int_equal(iova_map_add(&f->endpoint.map, MEMORY_IOVA, MEMORY_SIZE,
				      MAPPING_READ | MAPPING_WRITE, f->memory_fd, 0),
			 0);
	assert_int_equal(
		iova_map_add(&f->endpoint.map, PROTECTED_IOVA, 4096, MAPPING_READ, f->memory_fd, 0),
		0);
	if (f->endpoint.msix.count)
		msix_assign(&f->endpoint.msix, 0, dup(f->eventfd));
	if (f->endpoint.msix.count > OTHER_VECTOR)
		msix_assign(&f->endpoint.msix, OTHER_VECTOR, dup(f->eventfd));
}

void remake(struct fixture *f, const char *keys)
{
	endpoint_fini(&f->endpoint);
	make(f, keys);
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->log.sink.fd = memfd_create("log", MFD_CLOEXEC);
	f->memory_fd = memfd_create("memory", MFD_CLOEXEC);
	f->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->log.sink.fd < 0 || f->eventfd < 0 || ftruncate(f->memory_fd, MEMORY_SIZE))
		return -1;
	f->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memory_fd, 0);
	if (f->memory == MAP_FAILED)
		return -1;
	make(f, "");
	*state = f;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	endpoint_fini(&f->endpoint);
	log_close(&f->log, 0);
	munmap(f->memory, MEMORY_SIZE);
	close(f->memory_fd);
	close(f->eventfd);
	free(f);
	return 0;
}

uint32_t config_in(struct fixture *f, size_t at, size_t width)
{
	uint8_t bytes[4] = { 0 };

	endpoint_config_read(&f->endpoint, at, bytes, width);
	return (uint32_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16) | (uint32_t)bytes[3] << 24;
}

void config_out(struct fixture *f, size_t at, size_t width, uint32_t value)
{
	const uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
				   (uint8_t)(value >> 24) };

	endpoint_config_write(&f->endpoint, at, bytes, width);
}

uint32_t reg(struct fixture *f, size_t at)
{
	uint32_t value;

	endpoint_bar_read(&f->endpoint, EP_BAR, at, (uint8_t *)&value, 4);
	return value;
}

void reg_set(struct fixture *f, size_t at, uint32_t value)
{
	endpoint_bar_write(&f->endpoint, EP_BAR, at, (const uint8_t *)&value, 4);
}

uint64_t signalled(struct fixture *f)
{
	uint64_t count = 0;

	return read(f->eventfd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

const uint32_t *slot(struct fixture *f, uint32_t i)
{
	return f->endpoint.instrument.sent.slots[i % EP_TRACE_SLOTS];
}

struct json_object *last_event(struct fixture *f, const char *event)
{
	off_t size = lseek(f->log.sink.fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1), *rest = text, *line;
	struct json_object *found = NULL;

	assert_int_equal(pread(f->log.sink.fd, text, (size_t)size, 0), size);
	while ((line = strsep(&rest, "\n")) && *line) {
		struct json_object *object = json_tokener_parse(line), *name;

		assert_non_null(object);
		assert_true(json_object_object_get_ex(object, "event", &name));
		if (!strcmp(json_object_get_string(name), event)) {
			json_object_put(found);
			found = json_object_get(object);
		}
		json_object_put(object);
	}
	free(text);
	return found;
}

void assert_field(struct json_object *line, const char *key, const char *value)
{
	struct json_object *field;

	assert_non_null(line);
	if (!json_object_object_get_ex(line, key, &field))
		fail_msg("no field %s", key);
	assert_string_equal(json_object_get_string(field), value);
}

void assert_no_field(struct json_object *line, const char *key)
{
	assert_false(json_object_object_get_ex(line, key, NULL));
}
