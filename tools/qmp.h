/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's monitor protocol (QMP), as far as it takes to ask for the virtual machine's CPUs. */
#ifndef QMP_H
#define QMP_H

#include "vcpu.h"

/* struct qmp - a connection to a monitor */
struct qmp;

/**
 * qmp_open() - connect to a monitor, and negotiate
 * @path: its UNIX socket
 *
 * A monitor has one client at a time, and greets the next when that has gone.
 *
 * Return: 0; -ETIMEDOUT: no greeting within some seconds; -EPROTO: what came is not QMP; or what
 * connect(2) says.
 */
int qmp_open(const char *path, struct qmp **qmp);

/** qmp_close() - hang up; @qmp may be NULL. */
void qmp_close(struct qmp *qmp);

/**
 * qmp_query_cpus() - ask which thread runs which virtual CPU
 *
 * Return: 0; -EPIPE: QEMU hung up; -ETIMEDOUT; -EPROTO: an answer that makes no sense; -E2BIG: more
 * CPUs than a map can have.
 */
int qmp_query_cpus(struct qmp *qmp, struct vcpu_list *cpus);

#endif /* QMP_H */
