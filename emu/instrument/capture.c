// SPDX-License-Identifier: MIT
#include "capture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format/bits.h"
#include "format/pcap.h"
#include "log.h"

#define MICROSECONDS 1000000u

static void append(struct capture *capture, const uint8_t *data, size_t length)
{
	int ret = sink_put(&capture->sink, data, length);

	if (!ret || capture->error)
		return;
	capture->error = -ret;
	fprintf(stderr, "tph-emu: packets are missing in %s from here on: %s\n", capture->name,
		log_strerror(capture->error));
}

int capture_open(struct capture *capture, const char *path)
{
	*capture = (struct capture){ .sink.fd = -1, .name = path };
	return path ? sink_open(&capture->sink, path) : 0;
}

int capture_start(struct capture *capture, struct loop *loop, int stop_fd)
{
	uint8_t header[PCAP_FILE_HEADER] = { 0 };
	int ret;

	if (capture->sink.fd < 0)
		return 0;
	ret = sink_start(&capture->sink, loop, stop_fd);
	if (ret)
		return ret;
	le32_put(header, PCAP_MAGIC_MICRO);
	le16_put(header + PCAP_VERSION_AT, PCAP_VERSION_MAJOR);
	le16_put(header + PCAP_VERSION_MINOR_AT, PCAP_VERSION_MINOR);
	le32_put(header + PCAP_SNAP_AT, CAPTURE_LENGTH_MAX);
	le32_put(header + PCAP_LINK_AT, PCAP_LINK_ETHERNET);
	return sink_put(&capture->sink, header, sizeof(header));
}

void capture_close(struct capture *capture, int64_t deadline_ms)
{
	const bool gone = capture->sink.gone;

	if (sink_close(&capture->sink, deadline_ms) && !capture->error)
		capture->error = gone ? EPIPE : EAGAIN;
}

void capture_add(struct capture *capture, uint32_t number, const void *packet, uint32_t length)
{
	uint8_t record[PCAP_RECORD_HEADER + CAPTURE_LENGTH_MAX];

	if (capture->sink.fd < 0)
		return;
	le32_put(record + PCAP_SECONDS_AT, number / MICROSECONDS);
	le32_put(record + PCAP_FRACTION_AT, number % MICROSECONDS);
	le32_put(record + PCAP_CAPTURED_AT, length);
	le32_put(record + PCAP_ORIGINAL_AT, length);
	memcpy(record + PCAP_RECORD_HEADER, packet, length);
	append(capture, record, PCAP_RECORD_HEADER + length);
}
