// SPDX-License-Identifier: MIT
/* Files of a tree and nothing outside it: see beneath.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "beneath.h"

/* A FIFO that nobody writes to is opened at once, and then refused. */
#define FLAGS		(O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* as the kernel has it */
#define LINKS_MAX	40
/* folders in each other, of each of which a descriptor is kept */
#define DEPTH_MAX	256

/**
 * struct walk - a way through the tree, a component at a time
 * @folders: those that it leads through; ".." goes back by them, and so not beyond @top
 * @rest: what is still to go
 */
struct walk {
	int top;
	int folders[DEPTH_MAX];
	unsigned int depth, links;
	char rest[PATH_MAX];
};

static int here(const struct walk *walk)
{
	return walk->depth ? walk->folders[walk->depth - 1] : walk->top;
}

/* Cut the next component off; @name has room for a whole path. Return: whether there is one. */
static bool next_component(struct walk *walk, char *name)
{
	const char *begin = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(begin, "/");

	memcpy(name, begin, length);
	name[length] = '\0';
	begin += length;
	begin += strspn(begin, "/");
	memmove(walk->rest, begin, strlen(begin) + 1);
	return length;
}

static int go_up(struct walk *walk)
{
	if (!walk->depth)
		return -EXDEV;
	close(walk->folders[--walk->depth]);
	return 0;
}

static int go_down(struct walk *walk, int fd)
{
	if (walk->depth == DEPTH_MAX) {
		close(fd);
		return -ELOOP;
	}
	walk->folders[walk->depth++] = fd;
	return 0;
}

/* Put what a link says before the rest of the way. */
static int follow(struct walk *walk, int fd)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);
	int error = length < 0 ? -errno : 0;

	close(fd);
	if (error)
		return error;
	target[length] = '\0';
	if (target[0] == '/')
		return -EXDEV;
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	memcpy(rest, walk->rest, sizeof(rest));
	return snprintf(walk->rest, sizeof(walk->rest), "%s/%s", target, rest) <
	       (int)sizeof(walk->rest) ? 0 : -ENAMETOOLONG;
}

/* Go on by one component. Return: 0, a descriptor in @found at the end of the way, or -errno. */
static int go_on(struct walk *walk, int flags, int *found)
{
	char name[PATH_MAX];
	struct stat status;
	int fd;

	if (!next_component(walk, name))
		strcpy(name, ".");
	if (!strcmp(name, ".."))
		return go_up(walk);
	if (!strcmp(name, ".") && walk->rest[0])
		return 0;
	fd = openat(here(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status)) {
		close(fd);
		return -EIO;
	}
	if (S_ISLNK(status.st_mode) && (walk->rest[0] || !(flags & O_NOFOLLOW)))
		return follow(walk, fd);
	if (walk->rest[0])
		return go_down(walk, fd);
	if (flags & O_PATH) {
		*found = fd;
		return 0;
	}
	close(fd);
	*found = openat(here(walk), name, flags | O_NOFOLLOW);
	return *found < 0 ? -errno : 0;
}

/* What openat2() does, in small steps. */
static int walk_beneath(int top, const char *path, int flags)
{
	struct walk walk = { .top = top };
	int error, fd = -1;

	if (path[0] == '/')
		return -EXDEV;
	if (strlen(path) >= sizeof(walk.rest))
		return -ENAMETOOLONG;
	strcpy(walk.rest, path);
	do {
		error = go_on(&walk, flags, &fd);
	} while (!error && fd < 0);
	while (walk.depth)
		go_up(&walk);
	return error ? error : fd;
}

static int open_beneath(int top, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, top, path, &how, sizeof(how));

	if (fd >= 0)
		return (int)fd;
	/*
	 * Before Linux 5.6 there is none, and filters of system calls do not know it. EAGAIN: while
	 * it went up, a file was renamed somewhere, so that it could not be sure.
	 */
	return errno == ENOSYS || errno == EPERM || errno == EAGAIN ?
	       walk_beneath(top, path, flags) : -errno;
}

int tph_beneath_top(const char *root)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Keep a descriptor of the kind that was asked for. */
static int check_kind(int fd, int flags)
{
	struct stat status;

	if (fd < 0)
		return fd;
	if (!fstat(fd, &status) && (flags & O_DIRECTORY ? S_ISDIR(status.st_mode) :
				    S_ISREG(status.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

int tph_beneath_open(int top, const char *path, int flags)
{
	int fd;

	/* The kernel opens nothing else as a folder, and says ENOTDIR of two things. */
	if (flags & O_DIRECTORY) {
		fd = open_beneath(top, path, FLAGS | flags);
		if (fd != -ENOTDIR)
			return fd;
	}
	/* To open a device can set something going: look first. */
	fd = check_kind(open_beneath(top, path, O_PATH | O_CLOEXEC), flags);
	if (fd < 0)
		return fd;
	close(fd);
	return check_kind(open_beneath(top, path, FLAGS | flags), flags);
}

int tph_beneath_find(int top, const char *path)
{
	int fd = open_beneath(top, path, O_PATH | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int tph_beneath_link(int top, const char *path, char *target, size_t size)
{
	int fd = open_beneath(top, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	ssize_t length;
	int error;

	if (fd < 0)
		return fd;
	length = readlinkat(fd, "", target, size);
	/* What the kernel says of a file that is no link, if it is named by its descriptor. */
	error = length >= 0 ? 0 : errno == ENOENT ? -EINVAL : -errno;
	close(fd);
	if (error)
		return error;
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	target[length] = '\0';
	return 0;
}

int tph_beneath_name(const char *target, char *name, size_t size)
{
	const char *slash = strrchr(target, '/');

	slash = slash ? slash + 1 : target;
	if (strlen(slash) >= size)
		return -ENAMETOOLONG;
	if (!strcmp(slash, ".") || !strcmp(slash, "..") || strchr(slash, '\n'))
		return -EIO;
	strcpy(name, slash);
	return 0;
}
