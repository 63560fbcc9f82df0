// SPDX-License-Identifier: MIT
/* tph-emu: PCIe endpoints with TLP processing hints, for QEMU's vfio-user-pci. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/closer.h"
#include "host/eventfd.h"
#include "host/loop.h"
#include "instrument/log.h"
#include "instrument/qmp.h"
#include "options.h"
#include "pcie/endpoint.h"
#include "wire/protocol.h"
#include "wire/server.h"

#define EXIT_USAGE	    2
#define MONITOR_PATIENCE_MS 5000
#define END_PATIENCE_MS	    500 /* for readers of log and captures, when it ends */

/* What is open beside functions: standard streams, loop, signals, log, monitor, some for ready-fd */
#define DESCRIPTORS_OWN	     16u
/* socket, lock, client, capture; of the closer; memory, a message's, and what is not closed yet */
#define DESCRIPTORS_FUNCTION (4u + 3u + MAPPING_FILES_MAX + VFU_FDS_SENT + CLOSER_BUSY)

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
	int spare;
};

static int complain(const char *what, const char *which, int ret)
{
	fprintf(stderr, "tph-emu: %s%s%s: %s\n", what, *which ? " " : "", which,
		ret == -EBUSY ? "it is being written already; end who does it, or name another"
			      : strerror(-ret));
	return ret;
}

static const char *lock_reason(int ret)
{
	switch (-ret) {
	case EADDRINUSE:
		return "another process has its lock";
	case EEXIST:
		return "no lock, but somebody's file, is";
	case ELOOP:
		return "no lock, but a link, is";
	default:
		return "there can be no lock";
	}
}

static int complain_of_socket(const struct server *server, const char *socket, int ret)
{
	/* then the lock lacks no more than the socket */
	if (!server->no_lock || ret == -ENOENT || ret == -ENOTDIR)
		return complain("cannot listen on", socket, ret);
	fprintf(stderr, "tph-emu: cannot listen on %s: %s: %s at %s.lock\n", socket, strerror(-ret),
		lock_reason(ret), socket);
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
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	emulator->signals = (struct watch){ .ready = signal_ready, .owner = emulator };
	emulator->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (emulator->signals.fd < 0)
		return -errno;
	return loop_add(&emulator->loop, &emulator->signals, EPOLLIN);
}

/* Readers that leave and files that may not grow are errors of write(2). */
static void signals_ignore(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* An eventfd for every vector of every function, if their clients want them. */
static void descriptors_provide(const struct options *options)
{
	rlim_t need = DESCRIPTORS_OWN;
	struct rlimit limit;

	for (size_t i = 0; i < options->count; i++)
		need += DESCRIPTORS_FUNCTION + options->functions[i].vectors;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
		return;
	fprintf(stderr,
		"tph-emu: with all vectors in use %llu descriptors are needed, and %llu may be "
		"open: then clients are disconnected; raise the limit (ulimit -Hn) or give fewer "
		"vectors\n",
		(unsigned long long)need, (unsigned long long)limit.rlim_cur);
}

/* @functions: how many there are going to be */
static int function_start(struct emulator *emulator, struct knobs *knobs, unsigned int functions)
{
	struct function *function = &emulator->functions[emulator->count];
	struct capture capture;
	int ret;

	ret = capture_open(&capture, knobs->sent);
	if (ret)
		return complain("cannot write packets to", knobs->sent, ret);
	ret = endpoint_init(&function->endpoint, knobs, &emulator->log, emulator->qmp);
	knobs->socket = knobs->name = knobs->sent = NULL;
	knobs->model_state = NULL;
	if (ret) {
		capture_close(&capture, 0);
		return complain("cannot make a function", "", ret);
	}
	function->endpoint.capture = capture;
	function->endpoint.loop = &emulator->loop;
	iova_map_share(&function->endpoint.map, functions);
	ret = closer_start(&function->endpoint.closer, &emulator->loop);
	if (ret) {
		endpoint_fini(&function->endpoint);
		return complain("cannot make a process to close descriptors", "", ret);
	}
	ret = server_open(&function->server, &emulator->loop, &function->endpoint,
			  &emulator->spare);
	if (ret) {
		complain_of_socket(&function->server, function->endpoint.knobs.socket, ret);
		closer_fini(&function->endpoint.closer);
		endpoint_fini(&function->endpoint);
		return ret;
	}
	fabric_join(&emulator->fabric, &function->endpoint.port);
	function->work = (struct work){ .run = function_work, .owner = function };
	loop_add_work(&emulator->loop, &function->work);
	emulator->count++;
	return 0;
}

/* Only who serves all sockets may empty what another run has written. */
static int files_start(struct emulator *emulator, const struct options *options)
{
	const int stop_fd = emulator->signals.fd;
	int ret = !options->log ? 0 : log_start(&emulator->log, &emulator->loop, stop_fd);

	if (ret)
		return complain("cannot write log", options->log, ret);
	for (size_t i = 0; i < emulator->count; i++) {
		struct capture *capture = &emulator->functions[i].endpoint.capture;

		ret = capture_start(capture, &emulator->loop, stop_fd);
		if (ret)
			return complain("cannot write packets to", capture->name, ret);
	}
	return 0;
}

static int start(struct emulator *emulator, struct options *options)
{
	int ret;

	signals_ignore();
	descriptors_provide(options);
	ret = loop_init(&emulator->loop);
	if (ret)
		return complain("cannot make an event loop", "", ret);
	ret = !options->log ? 0 : log_open(&emulator->log, options->log, options->log_limit, options->verbose);
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
		ret = function_start(emulator, &options->functions[i],
				     (unsigned int)options->count);
		if (ret)
			return ret;
	}
	return files_start(emulator, options);
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
	struct line *line = log_event(&emulator->log, "summary", NULL);

	line_open_array(line, "functions");
	for (size_t i = 0; i < emulator->count; i++) {
		const struct endpoint *endpoint = &emulator->functions[i].endpoint;

		line_open(line, NULL);
		line_string(line, "function", endpoint->knobs.name);
		counters_report(&endpoint->instrument.counters, line);
		line_close(line);
	}
	line_close_array(line);
	log_write(&emulator->log, line);
}

/* Closes log and captures. Return: 0 if they are whole. */
static int files_end(struct emulator *emulator, const struct options *options, int64_t deadline_ms)
{
	int ret = 0;

	log_close(&emulator->log, deadline_ms);
	if (emulator->log.error) {
		fprintf(stderr, "tph-emu: the log is incomplete: %llu lines are missing in %s: %s\n",
			(unsigned long long)emulator->log.lost, options->log,
			log_strerror(emulator->log.error));
		ret = -emulator->log.error;
	}
	for (size_t i = 0; i < emulator->count; i++) {
		struct capture *capture = &emulator->functions[i].endpoint.capture;

		capture_close(capture, deadline_ms);
		if (!capture->error)
			continue;
		fprintf(stderr, "tph-emu: packets are missing in %s: %s\n", capture->name,
			log_strerror(capture->error));
		ret = -capture->error;
	}
	return ret;
}

/*
 * Who waits for the end of a stream of ours is not to wait for a descriptor of a client, too: the
 * closer has that open as well.
 */
static void streams_close(void)
{
	fflush(NULL);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		close(fd);
}

static void stop(struct emulator *emulator)
{
	unsigned int left = 0;

	for (size_t i = 0; i < emulator->count; i++) {
		struct endpoint *endpoint = &emulator->functions[i].endpoint;

		server_close(&emulator->functions[i].server);
		endpoint_fini(endpoint);
		left += closer_left(&endpoint->closer);
		closer_fini(&endpoint->closer);
	}
	free(emulator->functions);
	qmp_close(emulator->qmp);
	if (emulator->signals.fd >= 0)
		close(emulator->signals.fd);
	log_close(&emulator->log, 0);
	if (emulator->spare >= 0)
		close(emulator->spare);
	loop_fini(&emulator->loop);
	if (left)
		streams_close();
}

/*
 * Whoever closed a standard stream gets no messages: not a socket, a log or a client's memory, as it
 * would have its number. What stands there takes no more than a closed one does.
 */
static bool hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	struct emulator emulator = { .loop.epoll = -1, .log.sink.fd = -1, .signals.fd = -1,
				     .spare = -1 };
	struct options options;
	int64_t deadline_ms;
	bool reads;
	int ret;

	if (!hold_standard_streams())
		return EXIT_FAILURE;
	ret = options_parse(&options, argc, argv);
	if (ret) {
		options_free(&options);
		return ret < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	}
	ret = eventfd_prepare();
	if (ret)
		complain("cannot signal interrupts: there is neither an asynchronous request for it "
			 "(fs.aio-max-nr) nor a timer (ulimit -i)", "", ret);
	ret = ret ? ret : start(&emulator, &options);
	if (!ret)
		ret = report_ready(options.ready_fd);
	if (!ret) {
		ret = loop_run(&emulator.loop);
		if (ret)
			complain("cannot wait for events", "", ret);
		for (size_t i = 0; i < emulator.count; i++)
			server_close(&emulator.functions[i].server);
		/* First room for the last line, then the time to read that. */
		deadline_ms = loop_now() + END_PATIENCE_MS;
		reads = !options.log || log_flush(&emulator.log, deadline_ms);
		summarize(&emulator);
		/* It can be a long one, and take long to make. */
		if (reads)
			deadline_ms = loop_now() + END_PATIENCE_MS;
		if (files_end(&emulator, &options, deadline_ms))
			ret = -EIO;
	}
	stop(&emulator);
	options_free(&options);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
