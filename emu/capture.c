// SPDX-License-Identifier: MIT
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bits.h"
#include "pcap.h"

#define MICROSECONDS 1000000u

/* One write for each packet: who reads along never sees half of one. The loop is for full disks. */
static void append(struct capture *capture, const uint8_t *data, size_t length)
{
	size_t done = 0;

	while (done < length && !capture->error) {
		ssize_t n = write(capture->fd, data + done, length - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			capture->error = errno;
	}
}

int capture_open(struct capture *capture, const char *path)
{
	uint8_t header[PCAP_FILE_HEADER] = { 0 };

	*capture = (struct capture){ .fd = -1 };
	if (!path)
		return 0;
	capture->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (capture->fd < 0)
		return -errno;

	le32_put(header, PCAP_MAGIC_MICRO);
	le16_put(header + PCAP_VERSION_AT, PCAP_VERSION_MAJOR);
	le16_put(header + PCAP_VERSION_MINOR_AT, PCAP_VERSION_MINOR);
	le32_put(header + PCAP_SNAP_AT, PACKETS_LENGTH_MAX);
	le32_put(header + PCAP_LINK_AT, PCAP_LINK_ETHERNET);
	append(capture, header, sizeof(header));
	if (!capture->error)
		return 0;
	close(capture->fd);
	capture->fd = -1;
	return -capture->error;
}

void capture_close(struct capture *capture)
{
	if (capture->fd >= 0)
		close(capture->fd);
	capture->fd = -1;
}

void capture_add(struct capture *capture, const struct packet *packet)
{
	uint8_t record[PCAP_RECORD_HEADER + PACKETS_LENGTH_MAX];

	if (capture->fd < 0)
		return;
	le32_put(record + PCAP_SECONDS_AT, packet->number / MICROSECONDS);
	le32_put(record + PCAP_FRACTION_AT, packet->number % MICROSECONDS);
	le32_put(record + PCAP_CAPTURED_AT, packet->length);
	le32_put(record + PCAP_ORIGINAL_AT, packet->length);
	memcpy(record + PCAP_RECORD_HEADER, packet->data, packet->length);
	append(capture, record, PCAP_RECORD_HEADER + packet->length);
}
