// SPDX-License-Identifier: MIT
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void client_gone(void *owner)
{
	struct server *server = owner;
	struct session *session = server->session;

	server->session = NULL;
	session_close(session);
}

static void server_ready(struct watch *watch, uint32_t events)
{
	struct server *server = watch->owner;
	int fd;

	(void)events;
	/* What the last client sent before it left comes first; then the new one is let in. */
	if (server->session && session_hung_up(server->session))
		return;
	fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	/* The protocol allows one client; a second one sees its connection closed. */
	if (server->session) {
		close(fd);
		return;
	}
	server->session = session_open(server->loop, server->endpoint, fd, client_gone, server);
}

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

int server_open(struct server *server, struct loop *loop, struct endpoint *endpoint)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	*server = (struct server){ .loop = loop, .endpoint = endpoint };
	strcpy(address.sun_path, endpoint->knobs.socket);
	server->watch = (struct watch){ .fd = -1, .ready = server_ready, .owner = server };

	ret = stale_remove(&address);
	if (ret)
		return ret;
	server->watch.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->watch.fd < 0)
		return -errno;
	if (bind(server->watch.fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = -errno;
		goto err_close;
	}
	if (listen(server->watch.fd, 4)) {
		ret = -errno;
		goto err_unlink;
	}
	ret = loop_add(loop, &server->watch, EPOLLIN);
	if (ret)
		goto err_unlink;
	return 0;

err_unlink:
	unlink(address.sun_path);
err_close:
	close(server->watch.fd);
	server->watch.fd = -1;
	return ret;
}

void server_close(struct server *server)
{
	if (server->watch.fd < 0)
		return;
	if (server->session)
		client_gone(server);
	loop_remove(server->loop, &server->watch);
	close(server->watch.fd);
	server->watch.fd = -1;
	unlink(server->endpoint->knobs.socket);
}
