// SPDX-License-Identifier: MIT
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_SIZE 128  /* of the lock: the socket's is shorter than sun_path's 108 */
#define RETRY_MS 1000 /* while there is no descriptor even to turn clients away */

static void client_gone(void *owner)
{
	struct server *server = owner;
	struct session *session = server->session;

	server->session = NULL;
	session_close(session);
}

static void log_refused(struct server *server, const char *reason)
{
	struct instrument *instrument = &server->endpoint->instrument;
	struct line *line = instrument_event(instrument, "refused");

	line_string(line, "reason", reason);
	instrument_write_line(instrument, line);
}

static void spare_take(struct server *server)
{
	if (*server->spare < 0)
		*server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listen_again(struct alarm *alarm)
{
	struct server *server = alarm->owner;

	spare_take(server);
	loop_change(server->loop, &server->watch, EPOLLIN);
}

/* With a connection goes what has been sent by it already, descriptors too. */
static void send_away(struct server *server, int fd)
{
	shutdown(fd, SHUT_RDWR);
	closer_take(&server->endpoint->closer, fd);
}

/* There is no descriptor for a client: it shall know, and not be waited on in a busy loop. */
static void turn_away(struct server *server)
{
	int fd;

	if (*server->spare >= 0)
		close(*server->spare);
	*server->spare = -1;
	fd = accept4(server->watch.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		log_refused(server, "descriptor-limit");
		send_away(server, fd);
	}
	spare_take(server);
	if (fd >= 0 && *server->spare >= 0)
		return;
	loop_change(server->loop, &server->watch, 0);
	loop_set_alarm(server->loop, &server->retry, RETRY_MS);
}

static void closer_drained(void *owner)
{
	struct server *server = owner;

	if (server->paused)
		loop_change(server->loop, &server->watch, EPOLLIN);
	server->paused = false;
	endpoint_interrupts_flush(server->endpoint);
	if (server->session)
		session_resume(server->session);
}

static void closer_killed(void *owner, int error)
{
	const char *name = ((struct server *)owner)->endpoint->knobs.name;

	if (!error)
		fprintf(stderr, "tph-emu: function %s: its tph-emu-closer was killed; there is "
			"another one\n", name);
	else
		fprintf(stderr, "tph-emu: function %s: its tph-emu-closer was killed, and there is no "
			"other one: %s; from now on a client may keep others waiting by what it "
			"gives\n", name, strerror(-error));
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void server_ready(struct watch *watch, uint32_t events)
{
	struct server *server = watch->owner;
	int fd;

	(void)events;
	if (closer_await(&server->endpoint->closer)) {
		server->paused = true;
		loop_change(server->loop, &server->watch, 0);
		return;
	}
	/* What the last client sent before it left comes first; then the new one is let in. */
	if (server->session && session_hung_up(server->session))
		return;
	fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (is_shortage(errno))
			turn_away(server);
		return;
	}
	/* The protocol allows one client; a second one sees its connection closed. */
	if (server->session) {
		log_refused(server, "busy");
		send_away(server, fd);
		return;
	}
	server->session = session_open(server->loop, server->endpoint, fd, client_gone, server);
	if (!server->session)
		log_refused(server, "memory");
}

/*
 * Who may use the path: two that start at once would both find the socket of one that has crashed,
 * and the slower would remove the faster's, who has not yet called listen(2), or just has.
 */
static int lock_path(const struct server *server, char path[PATH_SIZE])
{
	int length = snprintf(path, PATH_SIZE, "%s.lock", server->endpoint->knobs.socket);

	return length < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

static bool same_file(const struct stat *a, const char *path)
{
	struct stat now;

	return !lstat(path, &now) && now.st_dev == a->st_dev && now.st_ino == a->st_ino;
}

static int lock_once(struct server *server, const char *path)
{
	struct stat status;
	int ret = 0;

	server->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	/* one that somebody has a lease on says EAGAIN, too */
	if (server->lock < 0)
		return errno == EAGAIN ? -EADDRINUSE : -errno;
	if (flock(server->lock, LOCK_EX | LOCK_NB))
		ret = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
	else if (fstat(server->lock, &status))
		ret = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_size)
		ret = -EEXIST; /* somebody's, which is not to be removed at the end */
	else if (!same_file(&status, path))
		ret = -ESTALE;
	if (ret) {
		close(server->lock);
		server->lock = -1;
	}
	return ret;
}

static int lock_take(struct server *server)
{
	char path[PATH_SIZE];
	int ret = lock_path(server, path);

	/* who ends removes the file, and may do it after it was opened here: then there is a new one */
	while (!ret && server->lock < 0) {
		ret = lock_once(server, path);
		if (ret == -ESTALE)
			ret = 0;
	}
	return ret;
}

static void lock_release(struct server *server)
{
	char path[PATH_SIZE];
	struct stat status;

	if (server->lock < 0)
		return;
	if (!lock_path(server, path) && !fstat(server->lock, &status) && same_file(&status, path))
		unlink(path);
	close(server->lock);
	server->lock = -1;
}

/* Called with the lock: nobody who takes it is between bind(2) and listen(2). */
static int stale_remove(const struct sockaddr_un *address)
{
	struct stat status;
	int fd, ret = 0;

	if (lstat(address->sun_path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN)
		ret = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		ret = -errno;
	close(fd);
	if (!ret && unlink(address->sun_path))
		ret = -errno;
	return ret;
}

int server_open(struct server *server, struct loop *loop, struct endpoint *endpoint, int *spare)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	*server = (struct server){ .loop = loop, .endpoint = endpoint, .spare = spare, .lock = -1 };
	server->retry = (struct alarm){ .ring = listen_again, .owner = server };
	strcpy(address.sun_path, endpoint->knobs.socket);
	server->watch = (struct watch){ .fd = -1, .ready = server_ready, .owner = server };

	ret = lock_take(server);
	server->no_lock = ret;
	if (ret)
		return ret;
	ret = stale_remove(&address);
	if (ret)
		goto err_unlock;
	server->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->watch.fd < 0) {
		ret = -errno;
		goto err_unlock;
	}
	if (bind(server->watch.fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = -errno;
		goto err_close;
	}
	if (listen(server->watch.fd, 4) || lstat(address.sun_path, &server->place)) {
		ret = -errno;
		goto err_unlink;
	}
	spare_take(server);
	ret = loop_add(loop, &server->watch, EPOLLIN);
	if (ret)
		goto err_unlink;
	endpoint->closer.drained = closer_drained;
	endpoint->closer.killed = closer_killed;
	endpoint->closer.owner = server;
	return 0;

err_unlink:
	unlink(address.sun_path);
err_close:
	close(server->watch.fd);
	server->watch.fd = -1;
err_unlock:
	lock_release(server);
	return ret;
}

void server_close(struct server *server)
{
	if (server->watch.fd < 0)
		return;
	if (server->session)
		client_gone(server);
	loop_clear_alarm(server->loop, &server->retry);
	loop_remove(server->loop, &server->watch);
	/* Who has connected and was not let in yet goes with it, and what he has sent. */
	send_away(server, server->watch.fd);
	server->watch.fd = -1;
	/* Somebody may have removed it, and put one of his own there. */
	if (same_file(&server->place, server->endpoint->knobs.socket))
		unlink(server->endpoint->knobs.socket);
	lock_release(server);
}
