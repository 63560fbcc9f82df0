// SPDX-License-Identifier: MIT
#include "counters.h"

#include <stdio.h>

void counters_config(struct counters *counters, bool write, size_t at, size_t length)
{
	uint32_t *touched = write ? counters->config_writes : counters->config_reads;

	if (!length)
		return;
	for (size_t dword = at / 4; dword <= (at + length - 1) / 4; dword++)
		touched[dword]++;
	if (write)
		counters->writes++;
	else
		counters->reads++;
}

void counters_clear(struct counters *counters)
{
	*counters = (struct counters){ 0 };
}

void counters_report(const struct counters *counters, struct line *line)
{
	line_number(line, "tlps", counters->tlps);
	line_number(line, "tlps_hinted", counters->tlps_hinted);
	if (counters->received) {
		line_number(line, "received", counters->received);
		line_number(line, "malformed", counters->malformed);
	}
	if (counters->asleep_reads || counters->asleep_writes || counters->asleep_memory) {
		line_number(line, "asleep_reads", counters->asleep_reads);
		line_number(line, "asleep_writes", counters->asleep_writes);
		line_number(line, "asleep_memory", counters->asleep_memory);
	}
	line_number(line, "interrupts", counters->interrupts);
	line_number(line, "faults", counters->faults);
	line_number(line, "resets", counters->resets);
	line_number(line, "tph_accesses", counters->tph);
	line_number(line, "st_writes", counters->st_writes);
	line_number(line, "off_windows", counters->off_windows);
	line_number(line, "config_reads", counters->reads);
	line_number(line, "config_writes", counters->writes);

	line_open(line, "config");
	for (size_t dword = 0; dword < COUNTERS_DWORDS; dword++) {
		char key[8];

		if (!counters->config_reads[dword] && !counters->config_writes[dword])
			continue;
		snprintf(key, sizeof(key), "0x%03x", (unsigned int)(dword * 4));
		line_open(line, key);
		line_number(line, "reads", counters->config_reads[dword]);
		line_number(line, "writes", counters->config_writes[dword]);
		line_close(line);
	}
	line_close(line);
}
