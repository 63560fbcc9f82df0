// SPDX-License-Identifier: MIT
#include "counters.h"

#include <stdio.h>

#include "log.h"

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

void counters_report(const struct counters *counters, struct json_object *line)
{
	struct json_object *registers = json_object_new_object();

	log_number(line, "tlps", counters->tlps);
	log_number(line, "tlps_hinted", counters->tlps_hinted);
	if (counters->received) {
		log_number(line, "received", counters->received);
		log_number(line, "malformed", counters->malformed);
	}
	if (counters->asleep_reads || counters->asleep_writes || counters->asleep_memory) {
		log_number(line, "asleep_reads", counters->asleep_reads);
		log_number(line, "asleep_writes", counters->asleep_writes);
		log_number(line, "asleep_memory", counters->asleep_memory);
	}
	log_number(line, "interrupts", counters->interrupts);
	log_number(line, "faults", counters->faults);
	log_number(line, "resets", counters->resets);
	log_number(line, "tph_accesses", counters->tph);
	log_number(line, "st_writes", counters->st_writes);
	log_number(line, "off_windows", counters->off_windows);
	log_number(line, "config_reads", counters->reads);
	log_number(line, "config_writes", counters->writes);

	for (size_t dword = 0; dword < COUNTERS_DWORDS; dword++) {
		struct json_object *one;
		char key[8];

		if (!counters->config_reads[dword] && !counters->config_writes[dword])
			continue;
		one = json_object_new_object();
		log_number(one, "reads", counters->config_reads[dword]);
		log_number(one, "writes", counters->config_writes[dword]);
		snprintf(key, sizeof(key), "0x%03x", (unsigned int)(dword * 4));
		json_object_object_add(registers, key, one);
	}
	json_object_object_add(line, "config", registers);
}
