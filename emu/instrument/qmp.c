// SPDX-License-Identifier: MIT
#include "qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#define LINE_MAX_BYTES 65536u

enum qmp_state {
	QMP_CLOSED,
	QMP_GREETING,	 /* connected, waiting for QEMU's greeting */
	QMP_NEGOTIATING, /* waiting for the answer to qmp_capabilities */
	QMP_READY,
};

struct qmp_request {
	uint64_t address;
	uint64_t id;
	qmp_done *done; /* NULL once cancelled */
	void *owner;
	struct qmp_request *next;
};

/**
 * struct qmp - a client of one monitor
 * @requests: in order; the first of them is the one that was sent, if @sent
 * @timer: armed while @requests is not empty
 */
struct qmp {
	struct loop *loop;
	char *path;
	enum qmp_state state;
	struct watch socket;
	struct watch timer;
	uint64_t patience_ns;
	struct qmp_request *requests;
	bool sent;
	uint64_t last_id;
	char *line;
	size_t length;
};

/* When the timer fires all requests fail; 0 ns disarms it. */
static void arm(struct qmp *qmp, uint64_t ns)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(ns / 1000000000),
		.it_value.tv_nsec = (long)(ns % 1000000000),
	};

	timerfd_settime(qmp->timer.fd, 0, &when, NULL);
}

static void disconnect(struct qmp *qmp)
{
	if (qmp->socket.fd >= 0) {
		loop_remove(qmp->loop, &qmp->socket);
		close(qmp->socket.fd);
	}
	qmp->socket.fd = -1;
	qmp->state = QMP_CLOSED;
	qmp->sent = false;
	qmp->length = 0;
	arm(qmp, 0);
}

/* Take the list off first: an owner may ask again from its callback. */
static void fail_all(struct qmp *qmp, int error)
{
	struct qmp_request *request = qmp->requests;

	qmp->requests = NULL;
	disconnect(qmp);
	while (request) {
		struct qmp_request *next = request->next;

		if (request->done)
			request->done(request->owner, error, 0);
		free(request);
		request = next;
	}
}

static int send_text(struct qmp *qmp, const char *text)
{
	size_t length = strlen(text);
	ssize_t n = send(qmp->socket.fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	/* One short command at a time: it always fits into an idle socket's buffer. */
	return n == (ssize_t)length ? 0 : -EIO;
}

static int send_next(struct qmp *qmp)
{
	struct qmp_request *request = qmp->requests;
	char text[160];

	while (request && !request->done) {
		qmp->requests = request->next;
		free(request);
		request = qmp->requests;
	}
	if (!request) {
		arm(qmp, 0);
		return 0;
	}
	request->id = ++qmp->last_id;
	snprintf(text, sizeof(text),
		 "{\"execute\":\"human-monitor-command\",\"arguments\":"
		 "{\"command-line\":\"xp /1wx 0x%" PRIx64 "\"},\"id\":%" PRIu64 "}\n",
		 request->address, request->id);
	qmp->sent = true;
	arm(qmp, qmp->patience_ns);
	return send_text(qmp, text);
}

/* "00000000febf000c: 0x00120001" */
static int dump_parse(const char *text, uint64_t address, uint32_t *value)
{
	uint64_t at;
	char *end;
	unsigned long number;

	errno = 0;
	at = strtoull(text, &end, 16);
	if (errno || end == text || *end != ':' || at != address)
		return -EPROTO;
	text = end + 1;
	number = strtoul(text, &end, 16);
	if (errno || end == text || number > UINT32_MAX || end[strspn(end, " \r\n")])
		return -EPROTO;
	*value = (uint32_t)number;
	return 0;
}

static int answer(struct qmp *qmp, struct json_object *message)
{
	struct qmp_request *request = qmp->requests;
	struct json_object *id, *text;
	uint32_t value = 0;
	int error = -EPROTO;

	if (!qmp->sent || !json_object_object_get_ex(message, "id", &id) ||
	    (uint64_t)json_object_get_int64(id) != request->id)
		return -EPROTO;
	if (json_object_object_get_ex(message, "return", &text) &&
	    json_object_is_type(text, json_type_string))
		error = dump_parse(json_object_get_string(text), request->address, &value);

	qmp->requests = request->next;
	qmp->sent = false;
	if (request->done)
		request->done(request->owner, error, value);
	free(request);
	return qmp->sent ? 0 : send_next(qmp);
}

static int handle(struct qmp *qmp, struct json_object *message)
{
	if (!json_object_is_type(message, json_type_object))
		return -EPROTO;
	if (json_object_object_get_ex(message, "event", NULL))
		return 0;

	switch (qmp->state) {
	case QMP_GREETING:
		if (!json_object_object_get_ex(message, "QMP", NULL))
			return -EPROTO;
		qmp->state = QMP_NEGOTIATING;
		return send_text(qmp, "{\"execute\":\"qmp_capabilities\"}\n");
	case QMP_NEGOTIATING:
		if (!json_object_object_get_ex(message, "return", NULL))
			return -EPROTO;
		qmp->state = QMP_READY;
		return send_next(qmp);
	case QMP_READY:
		return answer(qmp, message);
	case QMP_CLOSED:
		break;
	}
	return -EPROTO;
}

static int take_lines(struct qmp *qmp)
{
	char *end;

	while ((end = memchr(qmp->line, '\n', qmp->length))) {
		size_t used = (size_t)(end - qmp->line) + 1;
		struct json_object *message;
		int ret;

		*end = '\0';
		message = json_tokener_parse(qmp->line);
		memmove(qmp->line, qmp->line + used, qmp->length - used);
		qmp->length -= used;
		ret = handle(qmp, message);
		json_object_put(message);
		if (ret)
			return ret;
	}
	return qmp->length < LINE_MAX_BYTES ? 0 : -EPROTO;
}

static void socket_ready(struct watch *watch, uint32_t events)
{
	struct qmp *qmp = watch->owner;
	ssize_t n;
	int ret;

	(void)events;
	n = recv(qmp->socket.fd, qmp->line + qmp->length, LINE_MAX_BYTES - qmp->length,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail_all(qmp, -ECONNRESET);
		return;
	}
	qmp->length += (size_t)n;
	ret = take_lines(qmp);
	if (ret)
		fail_all(qmp, ret);
}

static void timer_ready(struct watch *watch, uint32_t events)
{
	struct qmp *qmp = watch->owner;
	uint64_t expirations;

	(void)events;
	if (read(qmp->timer.fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		fail_all(qmp, -ETIMEDOUT);
}

static int start(struct qmp *qmp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	strcpy(address.sun_path, qmp->path);
	qmp->socket.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (qmp->socket.fd < 0)
		return -errno;
	if (connect(qmp->socket.fd, (struct sockaddr *)&address, sizeof(address)))
		ret = -errno;
	else
		ret = loop_add(qmp->loop, &qmp->socket, EPOLLIN);
	if (ret) {
		close(qmp->socket.fd);
		qmp->socket.fd = -1;
		return ret;
	}
	qmp->state = QMP_GREETING;
	arm(qmp, qmp->patience_ns);
	return 0;
}

struct qmp *qmp_open(struct loop *loop, const char *path, unsigned int patience_ms)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));

	if (!qmp)
		return NULL;
	qmp->loop = loop;
	qmp->patience_ns = (uint64_t)patience_ms * 1000000;
	qmp->socket = (struct watch){ .fd = -1, .ready = socket_ready, .owner = qmp };
	qmp->timer = (struct watch){ .ready = timer_ready, .owner = qmp };
	qmp->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	qmp->path = strdup(path);
	qmp->line = malloc(LINE_MAX_BYTES);
	if (qmp->timer.fd < 0 || !qmp->path || !qmp->line || loop_add(loop, &qmp->timer, EPOLLIN)) {
		qmp_close(qmp);
		return NULL;
	}
	return qmp;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	while (qmp->requests) {
		struct qmp_request *next = qmp->requests->next;

		free(qmp->requests);
		qmp->requests = next;
	}
	if (qmp->timer.fd >= 0) {
		disconnect(qmp);
		loop_remove(qmp->loop, &qmp->timer);
		close(qmp->timer.fd);
	}
	free(qmp->path);
	free(qmp->line);
	free(qmp);
}

int qmp_read32(struct qmp *qmp, uint64_t address, qmp_done *done, void *owner,
	       struct qmp_request **request)
{
	struct qmp_request *one = calloc(1, sizeof(*one)), **tail = &qmp->requests;
	int ret = 0;

	if (!one)
		return -ENOMEM;
	*one = (struct qmp_request){ .address = address, .done = done, .owner = owner };
	while (*tail)
		tail = &(*tail)->next;
	*tail = one;

	if (qmp->state == QMP_CLOSED)
		ret = start(qmp);
	else if (qmp->state == QMP_READY && !qmp->sent && send_next(qmp))
		arm(qmp, 1); /* fail, but from the event loop */
	if (ret) {
		/* It is alone in the list: without a connection there are no others. */
		qmp->requests = NULL;
		free(one);
		return ret;
	}
	*request = one;
	return 0;
}

void qmp_cancel(struct qmp *qmp, struct qmp_request *request)
{
	(void)qmp;
	request->done = NULL;
}
