// SPDX-License-Identifier: MIT
/*
 * Stream sockets, epoll and timers without the kernel, for a harness that would else spend its
 * time in system calls. The linker puts these in the place of libc's functions (--wrap).
 * Descriptors of files stay the kernel's, also those that a message carries.
 *
 * As Linux has it for AF_UNIX, what a client can notice: how much is taken and what a full socket
 * says; where a read ends that brings descriptors, and which of them it loses; data before the end,
 * ECONNRESET in the place of the end if the other side left something unread; level-triggered
 * events, each watch in its turn. A timer never expires. The same inputs run on the kernel's own
 * sockets in *_replay.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "sockets.h"
#include "verdict.h"

#define FIRST		100000	/* no descriptor of the kernel's is so large */
#define FILES_MAX	64
#define ROOM		(1U << 17)
#define PIECES_MAX	64	/* of a socket: bytes that came with descriptors, or between such */
#define PIECE_FDS_MAX	32
#define BACKLOG		5

enum kind { FREE, STREAM, LISTENER, EPOLL, TIMER };

/* bytes of one sender's call, and what they carry until the first of them is read */
struct piece {
	size_t size;
	unsigned int fd_count;
	int fds[PIECE_FDS_MAX];
};

/**
 * struct file - what a descriptor of ours is
 * @peer: the other end, NULL without
 * @over: the other end is gone
 * @error: to be told once
 * @bytes: ring of what arrived, @size of them from @at on, in @pieces from @first on
 * @waiting: connections that nobody has accepted
 * @watcher: the one epoll that it may be in; NULL: it is in none
 */
struct file {
	enum kind kind;
	struct file *peer;
	bool connected, over;
	int error;
	size_t at, size;
	unsigned int first, piece_count;
	struct piece pieces[PIECES_MAX];
	unsigned int waiting_count;
	struct file *waiting[BACKLOG];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct file *watcher;
	struct epoll_event event;
	unsigned int turn;
};

static struct file files[FILES_MAX];
static uint8_t bytes[FILES_MAX][ROOM];
static unsigned int used;	/* those from here on have never been */
static unsigned int turns;

int __real_close(int fd);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);

int __wrap_socket(int domain, int type, int protocol);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_listen(int fd, int backlog);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_close(int fd);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *old);

static int fail(int error)
{
	errno = error;
	return -1;
}

static bool is_ours(int fd)
{
	return fd >= FIRST && fd < FIRST + FILES_MAX && files[fd - FIRST].kind != FREE;
}

/* The harness and the emulator use no descriptor for what it is not. */
static struct file *find(int fd, enum kind kind)
{
	must(is_ours(fd) && files[fd - FIRST].kind == kind, "descriptor %d is none of kind %d", fd,
	     kind);
	return &files[fd - FIRST];
}

static int number(const struct file *file)
{
	return FIRST + (int)(file - files);
}

static struct file *make(enum kind kind)
{
	struct file *file = files;

	while (file < files + FILES_MAX && file->kind != FREE)
		file++;
	must(file < files + FILES_MAX, "more than %d sockets are open", FILES_MAX);
	if (file >= files + used)
		used = (unsigned int)(file - files) + 1;
	file->kind = kind;
	file->peer = file->watcher = NULL;
	file->connected = file->over = false;
	file->error = 0;
	file->at = file->size = 0;
	file->first = file->piece_count = file->waiting_count = 0;
	file->path[0] = '\0';
	return file;
}

static void join(struct file *one, struct file *other)
{
	one->peer = other;
	other->peer = one;
	one->connected = other->connected = true;
}

int __wrap_socket(int domain, int type, int protocol)
{
	must(domain == AF_UNIX && !protocol && (type & 0xf) == SOCK_STREAM, "a socket of domain %d",
	     domain);
	return number(make(STREAM));
}

int __wrap_socketpair(int domain, int type, int protocol, int fds[2])
{
	fds[0] = __wrap_socket(domain, type, protocol);
	fds[1] = __wrap_socket(domain, type, protocol);
	join(find(fds[0], STREAM), find(fds[1], STREAM));
	return 0;
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
	must(size == sizeof(struct sockaddr_un), "an address of %u bytes", size);
	strcpy(find(fd, STREAM)->path, ((const struct sockaddr_un *)address)->sun_path);
	return 0;
}

int __wrap_listen(int fd, int backlog)
{
	must(backlog == BACKLOG - 1, "a backlog of %d", backlog);
	find(fd, STREAM)->kind = LISTENER;
	return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	struct file *file = find(fd, STREAM), *listener = files;

	must(size == sizeof(struct sockaddr_un), "an address of %u bytes", size);
	while (listener < files + used &&
	       (listener->kind != LISTENER ||
		strcmp(listener->path, ((const struct sockaddr_un *)address)->sun_path)))
		listener++;
	if (listener == files + used)
		return fail(ENOENT);
	if (listener->waiting_count == BACKLOG)
		return fail(EAGAIN);
	join(file, make(STREAM));
	listener->waiting[listener->waiting_count++] = file->peer;
	return 0;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	struct file *listener = find(fd, LISTENER), *file = listener->waiting[0];

	(void)size;
	must(!address && flags & SOCK_CLOEXEC, "accept4() with flags 0x%x", flags);
	if (!listener->waiting_count)
		return fail(EAGAIN);
	listener->waiting_count--;
	memmove(listener->waiting, listener->waiting + 1,
		listener->waiting_count * sizeof(*listener->waiting));
	return number(file);
}

static void copy_in(struct file *file, const uint8_t *data, size_t size)
{
	uint8_t *ring = bytes[file - files];
	size_t at = (file->at + file->size) % ROOM;
	size_t part = size < ROOM - at ? size : ROOM - at;

	memcpy(ring + at, data, part);
	memcpy(ring, data + part, size - part);
	file->size += size;
}

static void copy_out(struct file *file, uint8_t *data, size_t size)
{
	const uint8_t *ring = bytes[file - files];
	size_t part = size < ROOM - file->at ? size : ROOM - file->at;

	memcpy(data, ring + file->at, part);
	memcpy(data + part, ring, size - part);
	file->at = (file->at + size) % ROOM;
	file->size -= size;
}

static void take_descriptors(struct piece *piece, const struct msghdr *message)
{
	struct cmsghdr *control = message->msg_controllen ? CMSG_FIRSTHDR(message) : NULL;
	int fd;

	piece->fd_count = 0;
	if (!control)
		return;
	must(control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS,
	     "control message %d", control->cmsg_type);
	for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(fd)) <= control->cmsg_len; i++) {
		must(piece->fd_count < PIECE_FDS_MAX, "too many descriptors");
		memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
		piece->fds[piece->fd_count++] = fd;
	}
}

/* The sender's descriptors stay open, for they are offered: the receiver gets copies. */
static struct piece *add_piece(struct file *file, const struct msghdr *message)
{
	struct piece *last = &file->pieces[(file->first + file->piece_count - 1) % PIECES_MAX];
	struct piece *piece = &file->pieces[(file->first + file->piece_count) % PIECES_MAX];

	/* bytes alone go to bytes alone: a reader sees no seam there */
	if (file->piece_count && !message->msg_controllen && !last->fd_count)
		return last;
	if (file->piece_count == PIECES_MAX)
		return NULL;
	piece->size = 0;
	take_descriptors(piece, message);
	file->piece_count++;
	return piece;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct file *to = find(fd, STREAM)->peer;
	size_t size = message->msg_iov[0].iov_len;
	struct piece *piece;

	must(message->msg_iovlen == 1 && flags & MSG_DONTWAIT && flags & MSG_NOSIGNAL,
	     "sendmsg() with flags 0x%x", flags);
	if (!to)
		return fail(find(fd, STREAM)->connected ? EPIPE : ENOTCONN);
	size = size < ROOM - to->size ? size : ROOM - to->size;
	if (!size)
		return fail(EAGAIN);
	piece = add_piece(to, message);
	if (!piece)
		return fail(EAGAIN);
	copy_in(to, message->msg_iov[0].iov_base, size);
	piece->size += size;
	return (ssize_t)size;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return __wrap_sendmsg(fd, &message, flags | MSG_DONTWAIT);
}

/* As many as there is room for; the others are lost. */
static void give_descriptors(struct piece *piece, struct msghdr *message)
{
	size_t room = message->msg_controllen < CMSG_LEN(0) ? 0 :
		      (message->msg_controllen - CMSG_LEN(0)) / sizeof(int);
	struct cmsghdr *control = message->msg_control;
	unsigned int count = 0;

	for (; count < piece->fd_count && count < room; count++) {
		int fd = fcntl(piece->fds[count], F_DUPFD_CLOEXEC, 0);

		must(fd >= 0, "no descriptor: %s", strerror(errno));
		memcpy(CMSG_DATA(control) + count * sizeof(fd), &fd, sizeof(fd));
	}
	if (count < piece->fd_count)
		message->msg_flags |= MSG_CTRUNC;
	piece->fd_count = 0;
	if (!count)
		return;
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(count * sizeof(int));
	message->msg_controllen = CMSG_SPACE(count * sizeof(int)) < message->msg_controllen ?
				  CMSG_SPACE(count * sizeof(int)) : message->msg_controllen;
}

/* Up to @size bytes of the first piece. Return: how many. */
static size_t take_bytes(struct file *file, uint8_t *to, size_t size)
{
	struct piece *piece = &file->pieces[file->first];

	size = size < piece->size ? size : piece->size;
	copy_out(file, to, size);
	piece->size -= size;
	if (!piece->size) {
		file->first = (file->first + 1) % PIECES_MAX;
		file->piece_count--;
	}
	return size;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	struct file *file = find(fd, STREAM);
	const struct iovec *iov = message->msg_iov;
	bool carried = false;
	struct msghdr given = *message;
	size_t done = 0;

	(void)flags;
	must(message->msg_iovlen == 1, "recvmsg() of %zu parts", message->msg_iovlen);
	message->msg_flags = 0;
	message->msg_controllen = 0;
	if (!file->size && file->error) {
		errno = file->error;
		file->error = 0;
		return -1;
	}
	if (!file->size)
		return file->over || !iov->iov_len ? 0 : fail(file->connected ? EAGAIN : EINVAL);
	while (done < iov->iov_len && file->piece_count && !carried) {
		struct piece *piece = &file->pieces[file->first];

		carried = piece->fd_count;
		if (carried) {
			message->msg_controllen = given.msg_controllen;
			give_descriptors(piece, message);
		}
		done += take_bytes(file, (uint8_t *)iov->iov_base + done, iov->iov_len - done);
	}
	return (ssize_t)done;
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return __wrap_recvmsg(fd, &message, flags);
}

static uint32_t events_of(const struct file *file)
{
	uint32_t events = 0;

	if (file->kind == LISTENER)
		return file->waiting_count ? EPOLLIN : 0;
	if (file->kind != STREAM)
		return 0;
	if (file->size || file->over)
		events |= EPOLLIN;
	if (file->over)
		events |= EPOLLRDHUP | EPOLLHUP;
	if (file->error)
		events |= EPOLLERR;
	/* a quarter may be taken: what is there else wakes nobody up */
	if (!file->peer || 4 * file->peer->size <= ROOM)
		events |= EPOLLOUT;
	return events;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	must(!timeout, "poll() waits");
	if (count != 1 || !is_ours(fds->fd))
		return __real_poll(fds, count, timeout);
	fds->revents = (short)(events_of(&files[fds->fd - FIRST]) &
			       ((uint32_t)fds->events | POLLERR | POLLHUP));
	return !!fds->revents;
}

static void end(struct file *file)
{
	struct file *peer = file->peer;

	if (file->kind == LISTENER)
		while (file->waiting_count)
			__wrap_close(number(file->waiting[--file->waiting_count]));
	if (file->kind == EPOLL)
		for (struct file *watched = files; watched < files + used; watched++)
			if (watched->watcher == file)
				watched->watcher = NULL;
	if (peer) {
		peer->peer = NULL;
		peer->over = true;
		if (file->size)
			peer->error = ECONNRESET;
	}
	file->kind = FREE;
	file->watcher = NULL;
}

int __wrap_close(int fd)
{
	if (fd < FIRST)
		return __real_close(fd);
	must(is_ours(fd), "close(%d)", fd);
	end(&files[fd - FIRST]);
	return 0;
}

int __wrap_epoll_create1(int flags)
{
	(void)flags;
	return number(make(EPOLL));
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	struct file *watcher = find(epoll, EPOLL), *file;

	must(is_ours(fd), "epoll_ctl() of descriptor %d", fd);
	file = &files[fd - FIRST];
	if (op == EPOLL_CTL_ADD ? !!file->watcher : file->watcher != watcher)
		return fail(op == EPOLL_CTL_ADD ? EEXIST : ENOENT);
	file->watcher = op == EPOLL_CTL_DEL ? NULL : watcher;
	if (op != EPOLL_CTL_DEL)
		file->event = *event;
	if (op == EPOLL_CTL_ADD)
		file->turn = ++turns;
	return 0;
}

/* The one that has waited longest. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	struct file *watcher = find(epoll, EPOLL), *next = NULL;
	uint32_t there = 0;

	must(count == 1 && !timeout, "epoll_wait() for %d events, and for %d ms", count, timeout);
	for (struct file *file = files; file < files + used; file++) {
		uint32_t now;

		if (file->kind == FREE || file->watcher != watcher)
			continue;
		now = events_of(file) & (file->event.events | EPOLLERR | EPOLLHUP);
		if (!now || (next && (int)(file->turn - next->turn) > 0))
			continue;
		next = file;
		there = now;
	}
	if (!next)
		return 0;
	next->turn = ++turns;
	*events = (struct epoll_event){ .events = there, .data = next->event.data };
	return 1;
}

int __wrap_timerfd_create(int clock, int flags)
{
	(void)clock;
	(void)flags;
	return number(make(TIMER));
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *old)
{
	(void)flags;
	(void)when;
	(void)old;
	find(fd, TIMER);
	return 0;
}

unsigned int sockets_open(void)
{
	unsigned int count = 0;

	for (struct file *file = files; file < files + used; file++)
		count += file->kind != FREE;
	return count;
}
