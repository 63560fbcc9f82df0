// SPDX-License-Identifier: GPL-2.0-only
/* A client of QEMU's monitor: see qmp.h. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "qmp.h"

#define PATIENCE_MS	5000
/*
 * 4096 CPUs have some 200 bytes each, two objects and up to twenty members. What is parsed takes far more
 * memory than what was sent, so that what begins objects and members is counted first.
 */
#define ANSWER_MAX	(4u << 20)
#define BEGINNINGS_MAX	(4u * VCPUS_MAX)
#define MEMBERS_MAX	(32u * VCPUS_MAX)

/**
 * struct qmp - a connection to a monitor
 * @bytes: what was received, @length of it, the next document from @at on
 */
struct qmp {
	int fd;
	struct json_tokener *tokener;
	char bytes[65536];
	size_t at, length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(const struct qmp *qmp, short events, int64_t deadline)
{
	struct pollfd polled = { .fd = qmp->fd, .events = events };
	int64_t left = deadline - now_ms();
	int ready;

	/* of one that never stops talking, too */
	if (left <= 0)
		return -ETIMEDOUT;
	do
		ready = poll(&polled, 1, (int)left);
	while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready ? 0 : -ETIMEDOUT;
}

static int fill(struct qmp *qmp, int64_t deadline)
{
	int error = wait_for(qmp, POLLIN, deadline);
	ssize_t length;

	if (error)
		return error;
	length = recv(qmp->fd, qmp->bytes, sizeof(qmp->bytes), MSG_DONTWAIT);
	if (length < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!length)
		return -EPIPE;
	qmp->at = 0;
	qmp->length = (size_t)length;
	return 0;
}

/**
 * struct measure - how large a document is
 * @bytes: of text; @beginnings: of objects and arrays; @members: and elements
 */
struct measure {
	size_t bytes, beginnings, members;
};

/* Return: whether it may still be QMP, with @length more bytes. */
static bool measure(struct measure *measure, const char *bytes, size_t length)
{
	measure->bytes += length;
	for (size_t i = 0; i < length; i++) {
		measure->beginnings += bytes[i] == '{' || bytes[i] == '[';
		measure->members += bytes[i] == ',';
	}
	return measure->bytes <= ANSWER_MAX && measure->beginnings <= BEGINNINGS_MAX &&
	       measure->members <= MEMBERS_MAX;
}

/* The next document. Return: 0 or a negative errno. */
static int receive(struct qmp *qmp, int64_t deadline, struct json_object **document)
{
	struct measure size = { 0 };

	json_tokener_reset(qmp->tokener);
	for (;;) {
		int error;

		if (qmp->at < qmp->length) {
			if (!measure(&size, qmp->bytes + qmp->at, qmp->length - qmp->at))
				return -EPROTO;
			*document = json_tokener_parse_ex(qmp->tokener, qmp->bytes + qmp->at,
							  (int)(qmp->length - qmp->at));
			if (*document) {
				qmp->at += json_tokener_get_parse_end(qmp->tokener);
				return 0;
			}
			if (json_tokener_get_error(qmp->tokener) != json_tokener_continue)
				return -EPROTO;
			qmp->at = qmp->length;
		}
		error = fill(qmp, deadline);
		if (error)
			return error;
	}
}

/* Wait for a document with that member; events may come between. */
static int receive_with(struct qmp *qmp, const char *key, struct json_object **value)
{
	const int64_t deadline = now_ms() + PATIENCE_MS;
	struct json_object *document;
	int error;

	for (;;) {
		error = receive(qmp, deadline, &document);
		if (error)
			return error;
		if (json_object_object_get_ex(document, key, value)) {
			json_object_get(*value);
			json_object_put(document);
			return 0;
		}
		if (!json_object_object_get_ex(document, "event", NULL))
			error = -EPROTO;
		json_object_put(document);
		if (error)
			return error;
	}
}

static int execute(struct qmp *qmp, const char *command, struct json_object **value)
{
	size_t length = strlen(command), sent = 0;
	const int64_t deadline = now_ms() + PATIENCE_MS;

	while (sent < length) {
		ssize_t count = send(qmp->fd, command + sent, length - sent,
				     MSG_DONTWAIT | MSG_NOSIGNAL);
		int error = 0;

		if (count > 0)
			sent += (size_t)count;
		else
			error = errno == EAGAIN ? wait_for(qmp, POLLOUT, deadline) : -errno;
		if (error)
			return error;
	}
	return receive_with(qmp, "return", value);
}

static int start(struct qmp *qmp)
{
	struct json_object *value;
	int error = receive_with(qmp, "QMP", &value);

	if (error)
		return error;
	json_object_put(value);
	error = execute(qmp, "{\"execute\":\"qmp_capabilities\"}\n", &value);
	if (!error)
		json_object_put(value);
	return error;
}

int qmp_open(const char *path, struct qmp **result)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct qmp *qmp;
	int error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	qmp = calloc(1, sizeof(*qmp));
	if (!qmp)
		return -ENOMEM;
	qmp->tokener = json_tokener_new();
	qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!qmp->tokener)
		error = -ENOMEM;
	else if (qmp->fd < 0 ||
		 setsockopt(qmp->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
		 connect(qmp->fd, (const struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	/* it listens, and takes none of those that have come before */
	if (error == -EAGAIN)
		error = -ETIMEDOUT;
	if (!error)
		error = start(qmp);
	if (error)
		qmp_close(qmp);
	else
		*result = qmp;
	return error;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	if (qmp->tokener)
		json_tokener_free(qmp->tokener);
	if (qmp->fd >= 0)
		close(qmp->fd);
	free(qmp);
}

/* Return: whether @object has a whole number of 0 to @most so called. */
static bool number_of(struct json_object *object, const char *key, int64_t most, int64_t *number)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return false;
	*number = json_object_get_int64(value);
	return *number >= 0 && *number <= most;
}

static int take_cpus(struct json_object *answer, struct vcpu_list *cpus)
{
	memset(cpus, 0, sizeof(*cpus));
	if (!json_object_is_type(answer, json_type_array))
		return -EPROTO;
	for (size_t i = 0; i < json_object_array_length(answer); i++) {
		struct json_object *cpu = json_object_array_get_idx(answer, i);
		int64_t index, thread;

		if (!json_object_is_type(cpu, json_type_object) ||
		    !number_of(cpu, "cpu-index", INT64_MAX, &index) ||
		    !number_of(cpu, "thread-id", INT_MAX, &thread))
			return -EPROTO;
		if (index >= VCPUS_MAX)
			return -E2BIG;
		cpus->cpu[index].thread = (int)thread;
		if ((uint32_t)index >= cpus->count)
			cpus->count = (uint32_t)index + 1;
	}
	return 0;
}

int qmp_query_cpus(struct qmp *qmp, struct vcpu_list *cpus)
{
	struct json_object *answer;
	int error = execute(qmp, "{\"execute\":\"query-cpus-fast\"}\n", &answer);

	if (error)
		return error;
	error = take_cpus(answer, cpus);
	json_object_put(answer);
	return error;
}
