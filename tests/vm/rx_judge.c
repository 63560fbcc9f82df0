// SPDX-License-Identifier: MIT
/*
 * rx-judge: whether what a device wrote and read for its queues was steered to the CPUs of their
 * threads.
 *
 *   rx-judge [--own-tags] FUNCTION TLP-LOG RECEIVER-LOG
 *
 * --own-tags: the function has no ST table, the receiver places the tags in its registers.
 * TLP-LOG is the emulator's (doc/emulated-endpoint.md), RECEIVER-LOG what examples/steered-rx
 * printed. TLP n of the receiver's log is the function's n-th in the emulator's: the receiver reads
 * EP_TRACE_HEAD right before it asks for a tag and right after the kernel has answered. In between,
 * a request may have the old tag, the new one, or none, for the table changes while the requester
 * is off; once it is answered, the new one alone. Another queue's change can cost a request its
 * tag, but never give it a wrong one.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#define QUEUES_MAX	  16
#define STEPS_MAX	  16
#define SHOWN_MAX	  20
#define FIRMWARE_TAG(cpu) (0x1100u + (cpu)) /* lab/firmware/tags.asl */

/* The requests that carry hints, and which of a queue's ST entries each does. */
enum kind { WRITTEN_BACK, HEADER, PAYLOAD, SENT_BACK, SENT_HEADER, SENT_PAYLOAD, KINDS };
#define RECEIVE_KINDS SENT_BACK
#define ENTRIES	      4 /* of a queue */

static const struct {
	const char *direction, *kind;
	unsigned int entry;
} kinds[] = {
	[WRITTEN_BACK] = { "receive", "descriptor", 0 },
	[HEADER] = { "receive", "header", 1 },
	[PAYLOAD] = { "receive", "payload", 2 },
	[SENT_BACK] = { "transmit", "descriptor", 3 },
	[SENT_HEADER] = { "transmit", "header", 1 },
	[SENT_PAYLOAD] = { "transmit", "payload", 2 },
};

/* @requests: of each kind, with the tag of @cpu, after @after */
struct step {
	unsigned int cpu, before, after;
	unsigned int requests[KINDS];
};

static struct queue {
	struct step steps[STEPS_MAX];
	unsigned int count;
	bool reported;
	unsigned int packets, received, sent;
} queues[QUEUES_MAX];

static unsigned int first = UINT32_MAX; /* TLP of the receiver's run */
static unsigned int total, faults, shown;
static bool forwarding, own_tags;

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void wrong(const char *format, ...)
{
	va_list ap;

	faults++;
	if (shown++ >= SHOWN_MAX)
		return;
	printf("# ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

static void verdict(const char *what)
{
	printf("%s - %s\n", faults ? "not ok" : "ok", what);
}

static FILE *open_log(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file) {
		perror(path);
		exit(2);
	}
	return file;
}

static void read_receiver(const char *path)
{
	FILE *file = open_log(path);
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		unsigned int q, cpu, packets;
		struct step step = { 0 };

		if (sscanf(line, "queue %u steers to CPU %u: set between TLP %u and %u", &q,
			   &step.cpu, &step.before, &step.after) == 4 &&
		    q < QUEUES_MAX && queues[q].count < STEPS_MAX) {
			queues[q].steps[queues[q].count++] = step;
			if (step.before < first)
				first = step.before;
		} else if (sscanf(line, "queue %u: CPU %u, %u packets", &q, &cpu, &packets) == 3 &&
			   q < QUEUES_MAX) {
			queues[q].reported = true;
			queues[q].packets = packets;
		} else {
			sscanf(line, "all %u packets arrived", &total);
			forwarding = forwarding || strstr(line, "went out again");
		}
	}
	fclose(file);
}

static bool anybody_sets(unsigned int n)
{
	for (unsigned int q = 0; q < QUEUES_MAX; q++)
		for (unsigned int i = 0; i < queues[q].count; i++)
			if (n >= queues[q].steps[i].before && n < queues[q].steps[i].after)
				return true;
	return false;
}

static void judge_tag(struct queue *queue, unsigned int n, enum kind kind, unsigned int tag)
{
	bool known = false, good = false;

	for (unsigned int i = 0; i < queue->count; i++) {
		struct step *step = &queue->steps[i];
		bool answered = n >= step->after;
		bool replaced = i + 1 < queue->count && n >= queue->steps[i + 1].after;

		known = known || answered;
		if (n < step->before || replaced || tag != FIRMWARE_TAG(step->cpu))
			continue;
		good = true;
		step->requests[kind] += answered;
	}
	if (!good)
		wrong("TLP %u: %s %s of queue %ld has tag 0x%04x%s", n, kinds[kind].direction,
		      kinds[kind].kind, (long)(queue - queues), tag,
		      known ? "" : ", before any was asked for");
}

static const char *text(struct json_object *line, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(line, key, &value) ? json_object_get_string(value) : "";
}

static unsigned int value(struct json_object *line, const char *key)
{
	return (unsigned int)strtoul(text(line, key), NULL, 0);
}

static void judge_tlp(struct json_object *line, unsigned int n)
{
	unsigned int q = value(line, "queue"), kind = 0;

	while (kind < KINDS && (strcmp(text(line, "kind"), kinds[kind].kind) ||
				strcmp(text(line, "direction"), kinds[kind].direction)))
		kind++;
	if (kind == KINDS || q >= QUEUES_MAX)
		return;
	queues[q].received += kind == WRITTEN_BACK;
	queues[q].sent += kind == SENT_BACK;
	if (value(line, "th")) {
		if (value(line, "width") != 16)
			wrong("TLP %u: %u bits", n, value(line, "width"));
		if (own_tags ? !!*text(line, "entry")
			     : value(line, "entry") != q * ENTRIES + kinds[kind].entry)
			wrong("TLP %u: entry %s", n, text(line, "entry"));
		judge_tag(&queues[q], n, (enum kind)kind, value(line, "st"));
	} else if (!anybody_sets(n)) {
		wrong("TLP %u: %s %s of queue %u has no hint", n, kinds[kind].direction,
		      kinds[kind].kind, q);
	}
}

static void read_tlps(const char *path, const char *function)
{
	FILE *file = open_log(path);
	char *line = NULL;
	unsigned int n = 0;
	size_t room = 0;

	while (getline(&line, &room, file) > 0) {
		struct json_object *object = json_tokener_parse(line);
		const char *event = object ? text(object, "event") : "";

		if (!strcmp(event, "lost") || !strcmp(event, "limit"))
			wrong("the log of TLPs is not whole: %s", event);
		if (!strcmp(event, "tlp") &&
		    !strcmp(text(object, "function"), function) && n++ >= first)
			judge_tlp(object, n - 1);
		json_object_put(object);
	}
	free(line);
	fclose(file);
}

static void judge_steps(void)
{
	const unsigned int expected = forwarding ? KINDS : RECEIVE_KINDS;

	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		const struct queue *queue = &queues[q];

		if (queue->count && queue->count < 2)
			wrong("queue %u never moved", q);
		for (unsigned int i = 0; i < queue->count; i++)
			for (unsigned int kind = 0; kind < expected; kind++)
				if (!queue->steps[i].requests[kind])
					wrong("queue %u: no %s %s with the tag of CPU %u", q,
					      kinds[kind].direction, kinds[kind].kind,
					      queue->steps[i].cpu);
	}
}

static void judge_packets(void)
{
	unsigned int sum = 0;

	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		if (queues[q].reported != !!queues[q].count)
			wrong("queue %u has no report, or was never steered", q);
		if (queues[q].packets != queues[q].received)
			wrong("queue %u: %u packets, %u descriptors written", q, queues[q].packets,
			      queues[q].received);
		if (queues[q].sent != (forwarding ? queues[q].packets : 0))
			wrong("queue %u: %u packets, %u were sent", q, queues[q].packets,
			      queues[q].sent);
		sum += queues[q].packets;
	}
	if (!total || sum != total)
		wrong("the receiver says that %u packets arrived, its queues %u", total, sum);
}

int main(int argc, char **argv)
{
	own_tags = argc == 5 && !strcmp(argv[1], "--own-tags");
	if (argc != 4 + own_tags) {
		fprintf(stderr, "usage: rx-judge [--own-tags] FUNCTION TLP-LOG RECEIVER-LOG\n");
		return 2;
	}
	argv += own_tags;
	read_receiver(argv[3]);
	read_tlps(argv[2], argv[1]);
	verdict("every request carries the tag of the CPU of its queue's thread");
	judge_steps();
	verdict("every queue had all kinds of requests before and after its move");
	judge_packets();
	verdict("every packet's descriptor was written once, in each direction");
	return faults ? 1 : 0;
}
