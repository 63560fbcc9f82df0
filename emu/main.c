// SPDX-License-Identifier: MIT
/* tph-emu: PCIe endpoints with TLP processing hints, for QEMU's vfio-user-pci. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "endpoint.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "qmp.h"
#include "server.h"

#define EXIT_USAGE	    2
#define MONITOR_PATIENCE_MS 5000

/** struct function - an endpoint and the socket it is reached by */
struct function {
	struct endpoint endpoint;
	struct server server;
	struct work work;
};

struct emulator {
	struct fabric fabric;
	struct loop loop;
	struct log log;
	struct qmp *qmp;
	struct watch signals;
	struct function *functions;
	size_t count;
};

static int complain(const char *what, const char *which, int ret)
{
	fprintf(stderr, "tph-emu: %s%s%s: %s\n", what, *which ? " " : "", which, strerror(-ret));
	return ret;
}

static bool function_work(struct work *work)
{
	struct function *function = work->owner;

	return endpoint_work(&function->endpoint);
}

static void signal_ready(struct watch *watch, uint32_t events)
{
	struct emulator *emulator = watch->owner;
	struct signalfd_siginfo info;

	(void)events;
	if (read(watch->fd, &info, sizeof(info)) == sizeof(info))
		emulator->loop.stop = true;
}

static int signals_watch(struct emulator *emulator)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	emulator->signals = (struct watch){ .ready = signal_ready, .owner = emulator };
	emulator->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (emulator->signals.fd < 0)
		return -errno;
	return loop_add(&emulator->loop, &emulator->signals, EPOLLIN);
}

static int function_start(struct emulator *emulator, struct knobs *knobs)
{
	struct function *function = &emulator->functions[emulator->count];
	struct capture capture;
	int ret;

	ret = capture_open(&capture, knobs->sent);
	if (ret)
		return complain("cannot write packets to", knobs->sent, ret);
	ret = endpoint_init(&function->endpoint, knobs, &emulator->log, emulator->qmp);
	knobs->socket = knobs->name = knobs->sent = NULL;
	knobs->packets = (struct packets){ 0 };
	if (ret) {
		capture_close(&capture);
		return complain("cannot make a function", "", ret);
	}
	function->endpoint.capture = capture;
	ret = server_open(&function->server, &emulator->loop, &function->endpoint);
	if (ret) {
		complain("cannot listen on", function->endpoint.knobs.socket, ret);
		endpoint_fini(&function->endpoint);
		return ret;
	}
	fabric_join(&emulator->fabric, &function->endpoint);
	function->work = (struct work){ .run = function_work, .owner = function };
	loop_add_work(&emulator->loop, &function->work);
	emulator->count++;
	return 0;
}

static int start(struct emulator *emulator, struct options *options)
{
	int ret;

	ret = loop_init(&emulator->loop);
	if (ret)
		return complain("cannot make an event loop", "", ret);
	ret = log_open(&emulator->log, options->log, options->verbose);
	if (ret)
		return complain("cannot write log", options->log, ret);
	ret = signals_watch(emulator);
	if (ret)
		return complain("cannot wait for signals", "", ret);
	if (options->qmp) {
		emulator->qmp = qmp_open(&emulator->loop, options->qmp, MONITOR_PATIENCE_MS);
		if (!emulator->qmp)
			return complain("cannot use monitor", options->qmp, -errno);
	}
	emulator->functions = calloc(options->count, sizeof(*emulator->functions));
	if (!emulator->functions)
		return complain("cannot make functions", "", -ENOMEM);
	for (size_t i = 0; i < options->count; i++) {
		ret = function_start(emulator, &options->functions[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int report_ready(int fd)
{
	static const char line[] = "ready\n";

	if (fd < 0)
		return 0;
	if (write(fd, line, sizeof(line) - 1) != sizeof(line) - 1)
		return complain("cannot report readiness", "", -errno);
	close(fd);
	return 0;
}

static void summarize(struct emulator *emulator)
{
	struct json_object *line = log_event(&emulator->log, "summary", NULL);
	struct json_object *functions = json_object_new_array();

	for (size_t i = 0; i < emulator->count; i++) {
		struct endpoint *endpoint = &emulator->functions[i].endpoint;
		struct json_object *function = json_object_new_object();

		log_string(function, "function", endpoint->knobs.name);
		counters_report(&endpoint->counters, function);
		json_object_array_add(functions, function);
	}
	json_object_object_add(line, "functions", functions);
	log_write(&emulator->log, line);
}

static int check_files(const struct emulator *emulator, const struct options *options)
{
	int ret = 0;

	if (emulator->log.error)
		ret = complain("the log is incomplete", options->log, -emulator->log.error);
	for (size_t i = 0; i < emulator->count; i++) {
		const struct endpoint *endpoint = &emulator->functions[i].endpoint;

		if (endpoint->capture.error)
			ret = complain("packets are missing in", endpoint->knobs.sent,
				       -endpoint->capture.error);
	}
	return ret;
}

static void stop(struct emulator *emulator)
{
	for (size_t i = 0; i < emulator->count; i++) {
		server_close(&emulator->functions[i].server);
		endpoint_fini(&emulator->functions[i].endpoint);
	}
	free(emulator->functions);
	qmp_close(emulator->qmp);
	if (emulator->signals.fd >= 0)
		close(emulator->signals.fd);
	log_close(&emulator->log);
	loop_fini(&emulator->loop);
}

int main(int argc, char **argv)
{
	struct emulator emulator = { .loop.epoll = -1, .log.fd = -1, .signals.fd = -1 };
	struct options options;
	int ret;

	ret = options_parse(&options, argc, argv);
	if (ret) {
		options_free(&options);
		return ret < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	}
	ret = start(&emulator, &options);
	if (!ret)
		ret = report_ready(options.ready_fd);
	if (!ret) {
		ret = loop_run(&emulator.loop);
		if (ret)
			complain("cannot wait for events", "", ret);
		for (size_t i = 0; i < emulator.count; i++)
			server_close(&emulator.functions[i].server);
		summarize(&emulator);
		ret = check_files(&emulator, &options);
	}
	stop(&emulator);
	options_free(&options);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
