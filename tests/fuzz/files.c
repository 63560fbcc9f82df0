// SPDX-License-Identifier: MIT
/*
 * A folder without the kernel, for a harness that would else spend its time in system calls. The
 * linker puts these in the place of libc's functions (--wrap). All paths that do not lie in the
 * folder, and all descriptors that are not of it, stay the kernel's.
 *
 * As Linux has it on tmpfs, for root. One thing is stricter: a tree that a stranger saved may only
 * be entered by openat2() with RESOLVE_BENEATH, or a component at a time, so whatever names a file
 * of it in another way has broken a rule, wherever it leads. The same inputs run on real files in
 * *_replay.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "files.h"
#include "verdict.h"

#define FIRST		200000	/* no descriptor of the kernel's is so large */
#define HANDLES_MAX	512
#define FOLDERS_MAX	16
#define LINKS_MAX	40

/**
 * struct node - a file of any kind
 * @mode: as in struct stat
 * @child: the first of a folder
 * @next: in the same folder
 * @data: what it says, or where a link points, @stored bytes; zeros from there to @size
 * @length: of @name
 */
struct node {
	mode_t mode;
	struct node *parent, *child, *next;
	char *data;
	size_t stored;
	off_t size;
	size_t length;
	char name[NAME_MAX + 1];
};

/* struct handle - what a descriptor of ours is; @node NULL: free */
struct handle {
	struct node *node;
	int flags;
	off_t at;
};

/* struct folder - what stands for a DIR; its first two entries are "." and ".."; @fd 0: free */
struct folder {
	int fd;
	unsigned int told;
	struct node *next;
	struct dirent entry;
};

static struct {
	char path[PATH_MAX];
	size_t length;
	struct node *node;
	bool old;
} base;

static struct handle handles[HANDLES_MAX];
static struct folder folders[FOLDERS_MAX];
static unsigned int open_count;
static int lowest;	/* none below is free */

int __real_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
int __real_close(int fd);
long __real_syscall(long number, ...);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __real_pread(int fd, void *data, size_t size, off_t at);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t at);
int __real_fstat(int fd, struct stat *status);
int __real_ftruncate(int fd, off_t size);
FILE *__real_fdopen(int fd, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
int __real_access(const char *path, int mode);
ssize_t __real_readlink(const char *path, char *target, size_t size);
DIR *__real_opendir(const char *path);
struct dirent *__real_readdir(DIR *folder);
int __real_closedir(DIR *folder);

int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_close(int fd);
long __wrap_syscall(long number, ...);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at);
int __wrap_fstat(int fd, struct stat *status);
int __wrap_ftruncate(int fd, off_t size);
FILE *__wrap_fdopen(int fd, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_access(const char *path, int mode);
ssize_t __wrap_readlink(const char *path, char *target, size_t size);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_fdopendir(int fd);
struct dirent *__wrap_readdir(DIR *folder);
int __wrap_closedir(DIR *folder);
ssize_t __wrap_readlinkat(int folder, const char *path, char *target, size_t size);
int __wrap_renameat(int from, const char *name, int to, const char *new_name);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_mkdirat(int folder, const char *name, mode_t mode);
int __wrap_mkfifoat(int folder, const char *name, mode_t mode);
int __wrap_mknodat(int folder, const char *name, mode_t mode, dev_t device);
int __wrap_symlinkat(const char *target, int folder, const char *name);

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- nodes ---- */

/* Not by the C library's functions, for a sanitizer sees to each of their calls. */
static bool equal(const char *left, const char *right, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (left[i] != right[i])
			return false;
	return true;
}

static struct node *find_part(const struct node *folder, const char *name, size_t length)
{
	struct node *node = folder->child;

	while (node && (node->length != length || !equal(node->name, name, length)))
		node = node->next;
	return node;
}

static struct node *find(const struct node *folder, const char *name)
{
	return find_part(folder, name, strlen(name));
}

static void enter(struct node *node, struct node *folder, const char *name)
{
	must(strlen(name) < sizeof(node->name), "a name of %zu bytes", strlen(name));
	strcpy(node->name, name);
	node->length = strlen(name);
	node->parent = folder;
	node->next = folder->child;
	folder->child = node;
}

static void leave(struct node *node)
{
	struct node **at = &node->parent->child;

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
}

static struct node *make(mode_t mode)
{
	struct node *node = calloc(1, sizeof(*node));

	must(node, "no memory");
	node->mode = mode;
	return node;
}

static void store(struct node *node, const void *data, size_t size, off_t at)
{
	size_t end = (size_t)at + size;

	if (!size)
		return;
	if (end > node->stored) {
		node->data = realloc(node->data, end);
		must(node->data, "no memory");
		memset(node->data + node->stored, 0, end - node->stored);
		node->stored = end;
	}
	memcpy(node->data + at, data, size);
	if ((off_t)end > node->size)
		node->size = (off_t)end;
}

static void load_data(struct node *node, const char *path)
{
	FILE *file = __real_fopen(path, "re");
	char data[4096];
	size_t size;

	must(file, "%s: %s", path, strerror(errno));
	while ((size = fread(data, 1, sizeof(data), file)))
		store(node, data, size, node->size);
	fclose(file);
}

static struct node *load(const char *path)
{
	char below[PATH_MAX], target[PATH_MAX];
	const struct dirent *entry;
	struct stat status;
	struct node *node;
	ssize_t length;
	DIR *folder;

	must(!lstat(path, &status), "%s: %s", path, strerror(errno));
	node = make(status.st_mode);
	if (S_ISREG(status.st_mode))
		load_data(node, path);
	if (S_ISLNK(status.st_mode)) {
		length = __real_readlink(path, target, sizeof(target));
		must(length > 0, "%s: %s", path, strerror(errno));
		store(node, target, (size_t)length, 0);
	}
	if (!S_ISDIR(status.st_mode))
		return node;
	folder = __real_opendir(path);
	must(folder, "%s: %s", path, strerror(errno));
	while ((entry = __real_readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		must(snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
			     (int)sizeof(below), "%s: too deep", path);
		enter(load(below), node, entry->d_name);
	}
	__real_closedir(folder);
	return node;
}

void files_load(const char *path)
{
	base.length = strlen(path);
	strcpy(base.path, path);
	base.node = load(path);
}

void files_age(bool old)
{
	base.old = old;
}

/* ---- descriptors ---- */

static struct handle *handle_of(int fd)
{
	return fd >= FIRST && fd < FIRST + HANDLES_MAX && handles[fd - FIRST].node ?
	       &handles[fd - FIRST] : NULL;
}

static bool is_ours(int fd)
{
	must(fd < FIRST || handle_of(fd), "descriptor %d is closed", fd);
	return fd >= FIRST;
}

static struct node *folder_of(int fd)
{
	must(is_ours(fd) && S_ISDIR(handle_of(fd)->node->mode), "descriptor %d is no folder", fd);
	return handle_of(fd)->node;
}

static int new_handle(struct node *node, int flags)
{
	int i = lowest;

	while (i < HANDLES_MAX && handles[i].node)
		i++;
	lowest = i + 1;
	must(i < HANDLES_MAX, "more than %d files are open", HANDLES_MAX);
	handles[i] = (struct handle){ .node = node, .flags = flags };
	open_count++;
	return FIRST + i;
}

unsigned int files_open(void)
{
	return open_count;
}

/* What open() of @node says. */
static int open_node(struct node *node, int flags)
{
	const int access_mode = flags & O_ACCMODE;

	if (flags & O_DIRECTORY && !S_ISDIR(node->mode))
		return fail(ENOTDIR);
	if (flags & O_PATH)
		return new_handle(node, flags);
	if (S_ISLNK(node->mode))
		return fail(ELOOP);
	if (S_ISDIR(node->mode) && access_mode != O_RDONLY)
		return fail(EISDIR);
	if (S_ISSOCK(node->mode) || (S_ISFIFO(node->mode) && access_mode == O_WRONLY))
		return fail(ENXIO);
	must(!S_ISFIFO(node->mode) || flags & O_NONBLOCK, "it waits for a writer of a pipe");
	return new_handle(node, flags);
}

/**
 * struct way - through the tree
 * @rest: what is still to go: a path, or in @own what a link says before it
 */
struct way {
	const struct node *top;
	struct node *here;
	unsigned int links;
	const char *rest;
	char own[2 * PATH_MAX];
};

static size_t part_length(const char *path)
{
	size_t length = 0;

	while (path[length] && path[length] != '/')
		length++;
	return length;
}

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* Return: 0 or an errno. */
static int follow(struct way *way, const struct node *link, uint64_t resolve)
{
	char rest[PATH_MAX];

	if (resolve & RESOLVE_NO_SYMLINKS || ++way->links > LINKS_MAX)
		return ELOOP;
	if (link->data[0] == '/')
		return EXDEV;
	must(strlen(way->rest) < sizeof(rest), "a way of %zu bytes", strlen(way->rest));
	strcpy(rest, way->rest);
	snprintf(way->own, sizeof(way->own), "%.*s%s", (int)link->stored, link->data, rest);
	way->rest = way->own;
	return 0;
}

/* One component. Return: 0 or an errno. */
static int go_on(struct way *way, int flags, uint64_t resolve)
{
	const char *name = way->rest;
	const size_t length = part_length(name);
	const bool slash = name[length], last = !*skip_slashes(name + length);
	struct node *next;

	if (!S_ISDIR(way->here->mode))
		return ENOTDIR;
	if (length > NAME_MAX)
		return ENAMETOOLONG;
	way->rest = name + length;
	if (!length || (length == 1 && name[0] == '.'))
		next = way->here;
	else if (length == 2 && name[0] == '.' && name[1] == '.')
		next = way->here == way->top ? NULL : way->here->parent;
	else
		next = find_part(way->here, name, length);
	if (!next)
		return name[0] == '.' && name[1] == '.' && length == 2 ? EXDEV : ENOENT;
	if (S_ISLNK(next->mode) && (!last || slash || !(flags & O_NOFOLLOW)))
		return follow(way, next, resolve);
	if (slash && !S_ISDIR(next->mode))
		return ENOTDIR;
	way->here = next;
	way->rest = skip_slashes(way->rest);
	return 0;
}

static int open_beneath(int fd, const char *path, const struct open_how *how)
{
	struct way way;
	int error = 0;

	must(how->resolve & RESOLVE_BENEATH, "openat2() of %s without RESOLVE_BENEATH", path);
	if (base.old)
		return fail(ENOSYS);
	if (!*path)
		return fail(ENOENT);
	if (strlen(path) >= PATH_MAX)
		return fail(ENAMETOOLONG);
	if (*path == '/')
		return fail(EXDEV);
	way.top = way.here = folder_of(fd);
	way.links = 0;
	way.rest = path;
	while (!error && way.rest[0])
		error = go_on(&way, (int)how->flags, how->resolve);
	return error ? fail(error) : open_node(way.here, (int)how->flags);
}

long __wrap_syscall(long number, ...)
{
	const struct open_how *how;
	const char *path;
	va_list arguments;
	size_t size;
	int fd;

	must(number == SYS_openat2, "system call %ld", number);
	va_start(arguments, number);
	fd = va_arg(arguments, int);
	path = va_arg(arguments, const char *);
	how = va_arg(arguments, const struct open_how *);
	size = va_arg(arguments, size_t);
	va_end(arguments);
	return is_ours(fd) ? open_beneath(fd, path, how) :
			     __real_syscall(number, fd, path, how, size);
}

/* A component of a folder that is open already; as walk_beneath() and the harness do it. */
int __wrap_openat(int fd, const char *path, int flags, ...)
{
	struct node *folder, *node;
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	if (fd < FIRST)
		return __real_openat(fd, path, flags, mode);
	must(is_ours(fd), "descriptor %d", fd);
	folder = handle_of(fd)->node;
	if (!S_ISDIR(folder->mode))
		return fail(ENOTDIR);
	must(!strchr(path, '/') && strcmp(path, ".."), "openat() of %s is no small step", path);
	must(flags & (O_NOFOLLOW | O_EXCL), "openat() of %s follows links", path);
	node = !strcmp(path, ".") ? folder : find(folder, path);
	if (!(flags & O_CREAT))
		return node ? open_node(node, flags) :
			      fail(strlen(path) > NAME_MAX ? ENAMETOOLONG : ENOENT);
	if (node)
		return fail(EEXIST);
	node = make(S_IFREG | mode);
	enter(node, folder, path);
	return new_handle(node, flags);
}

/* Where @path is below the folder; NULL: not there. */
static const char *below(const char *path)
{
	if (!base.node || strncmp(path, base.path, base.length) || path[base.length] != '/')
		return NULL;
	return path + base.length + 1;
}

static void refuse(const char *path)
{
	const char *name = below(path);

	must(!name || !strchr(name, '/'), "%s is named by its whole path", path);
}

/* The tree's top, and the harness's own folder beside it; what else is new there is real. */
int __wrap_open(const char *path, int flags, ...)
{
	const char *name = below(path);
	struct node *node = name ? find(base.node, name) : NULL;
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	refuse(path);
	if (node && S_ISDIR(node->mode))
		return open_node(node, flags);
	return __real_open(path, flags, mode);
}

int __wrap_access(const char *path, int mode)
{
	refuse(path);
	return __real_access(path, mode);
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size)
{
	refuse(path);
	return __real_readlink(path, target, size);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	refuse(path);
	return __real_fopen(path, mode);
}

DIR *__wrap_opendir(const char *path)
{
	refuse(path);
	return __real_opendir(path);
}

int __wrap_close(int fd)
{
	if (!is_ours(fd))
		return __real_close(fd);
	handle_of(fd)->node = NULL;
	lowest = fd - FIRST < lowest ? fd - FIRST : lowest;
	open_count--;
	return 0;
}

/* ---- what is done with an open file ---- */

static ssize_t read_at(const struct handle *handle, void *data, size_t size, off_t at)
{
	const struct node *node = handle->node;
	size_t left, stored;

	if (handle->flags & O_PATH || (handle->flags & O_ACCMODE) == O_WRONLY)
		return fail(EBADF);
	if (S_ISDIR(node->mode))
		return fail(EISDIR);
	if (at >= node->size)
		return 0;
	left = (size_t)(node->size - at);
	size = size < left ? size : left;
	stored = at < (off_t)node->stored ? node->stored - (size_t)at : 0;
	stored = stored < size ? stored : size;
	if (stored)
		memcpy(data, node->data + at, stored);
	memset((char *)data + stored, 0, size - stored);
	return (ssize_t)size;
}

static ssize_t write_at(const struct handle *handle, const void *data, size_t size, off_t at)
{
	if (handle->flags & O_PATH || (handle->flags & O_ACCMODE) == O_RDONLY)
		return fail(EBADF);
	store(handle->node, data, size, at);
	return (ssize_t)size;
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
	struct handle *handle;
	ssize_t done;

	if (!is_ours(fd))
		return __real_read(fd, data, size);
	handle = handle_of(fd);
	done = read_at(handle, data, size, handle->at);
	handle->at += done > 0 ? done : 0;
	return done;
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at)
{
	return is_ours(fd) ? read_at(handle_of(fd), data, size, at) :
			     __real_pread(fd, data, size, at);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	struct handle *handle;
	ssize_t done;

	if (!is_ours(fd))
		return __real_write(fd, data, size);
	handle = handle_of(fd);
	done = write_at(handle, data, size, handle->at);
	handle->at += done > 0 ? done : 0;
	return done;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at)
{
	return is_ours(fd) ? write_at(handle_of(fd), data, size, at) :
			     __real_pwrite(fd, data, size, at);
}

int __wrap_ftruncate(int fd, off_t size)
{
	struct node *node;

	if (!is_ours(fd))
		return __real_ftruncate(fd, size);
	node = handle_of(fd)->node;
	node->size = size;
	if ((off_t)node->stored > size)
		node->stored = (size_t)size;
	return 0;
}

int __wrap_fstat(int fd, struct stat *status)
{
	const struct node *node;

	if (!is_ours(fd))
		return __real_fstat(fd, status);
	node = handle_of(fd)->node;
	*status = (struct stat){
		.st_mode = node->mode,
		.st_size = node->size,
		.st_nlink = 1,
		.st_dev = 1,
		.st_ino = (ino_t)node,
	};
	return 0;
}

ssize_t __wrap_readlinkat(int fd, const char *path, char *target, size_t size)
{
	const struct node *node;

	must(is_ours(fd) && !*path, "readlinkat() of %s", path);
	node = handle_of(fd)->node;
	if (!S_ISLNK(node->mode))
		return fail(ENOENT);
	size = size < node->stored ? size : node->stored;
	memcpy(target, node->data, size);
	return (ssize_t)size;
}

static ssize_t cookie_read(void *cookie, char *data, size_t size)
{
	return __wrap_read(*(int *)cookie, data, size);
}

static int cookie_close(void *cookie)
{
	__wrap_close(*(int *)cookie);
	free(cookie);
	return 0;
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = { .read = cookie_read,
							 .close = cookie_close };
	int *cookie;
	FILE *file;

	if (!is_ours(fd))
		return __real_fdopen(fd, mode);
	must(mode[0] == 'r', "fdopen() to %s", mode);
	cookie = malloc(sizeof(*cookie));
	must(cookie, "no memory");
	*cookie = fd;
	file = fopencookie(cookie, "r", functions);
	must(file, "no stream");
	return file;
}

/* Not one that a part of the fuzzer reads. */
static struct folder *find_folder(DIR *directory)
{
	struct folder *folder = folders;

	while (folder < folders + FOLDERS_MAX && directory != (DIR *)folder)
		folder++;
	return folder < folders + FOLDERS_MAX ? folder : NULL;
}

DIR *__wrap_fdopendir(int fd)
{
	struct folder *folder = folders;

	must(is_ours(fd) && !(handle_of(fd)->flags & O_PATH), "fdopendir() of descriptor %d", fd);
	while (folder < folders + FOLDERS_MAX && folder->fd)
		folder++;
	must(folder < folders + FOLDERS_MAX, "more than %d folders are read", FOLDERS_MAX);
	*folder = (struct folder){ .fd = fd, .next = folder_of(fd)->child };
	return (DIR *)folder;
}

struct dirent *__wrap_readdir(DIR *directory)
{
	struct folder *folder = find_folder(directory);
	const struct node *node;

	if (!folder)
		return __real_readdir(directory);
	node = folder->next;
	folder->entry.d_type = DT_DIR;
	if (folder->told < 2) {
		strcpy(folder->entry.d_name, folder->told++ ? ".." : ".");
		return &folder->entry;
	}
	if (!node)
		return NULL;
	folder->next = node->next;
	folder->entry.d_type = (unsigned char)IFTODT(node->mode);
	strcpy(folder->entry.d_name, node->name);
	return &folder->entry;
}

int __wrap_closedir(DIR *directory)
{
	struct folder *folder = find_folder(directory);

	if (!folder)
		return __real_closedir(directory);
	__wrap_close(folder->fd);
	folder->fd = 0;
	return 0;
}

/* ---- what the harness does to folders ---- */

static int add(int fd, const char *name, mode_t mode, const char *data)
{
	struct node *folder = folder_of(fd), *node;

	if (find(folder, name))
		return fail(EEXIST);
	node = make(mode);
	if (data)
		store(node, data, strlen(data), 0);
	enter(node, folder, name);
	return 0;
}

int __wrap_mkdirat(int fd, const char *name, mode_t mode)
{
	return add(fd, name, S_IFDIR | mode, NULL);
}

int __wrap_mkfifoat(int fd, const char *name, mode_t mode)
{
	return add(fd, name, S_IFIFO | mode, NULL);
}

int __wrap_mknodat(int fd, const char *name, mode_t mode, dev_t device)
{
	must(!device, "a device");
	return add(fd, name, mode, NULL);
}

int __wrap_symlinkat(const char *target, int fd, const char *name)
{
	return add(fd, name, S_IFLNK | 0777, target);
}

int __wrap_renameat(int from, const char *name, int to, const char *new_name)
{
	struct node *node = find(folder_of(from), name), *folder = folder_of(to);

	if (!node)
		return fail(ENOENT);
	must(!find(folder, new_name), "%s is in the way", new_name);
	leave(node);
	enter(node, folder, new_name);
	return 0;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
	struct node *node = find(folder_of(fd), name);

	if (!node)
		return fail(ENOENT);
	if (!(flags & AT_REMOVEDIR) != !S_ISDIR(node->mode))
		return fail(S_ISDIR(node->mode) ? EISDIR : ENOTDIR);
	if (node->child)
		return fail(ENOTEMPTY);
	for (int i = 0; i < HANDLES_MAX; i++)
		must(handles[i].node != node, "%s is open", name);
	leave(node);
	free(node->data);
	free(node);
	return 0;
}

/* as <fcntl.h> and others call them for files of more than 2 GiB */
_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "structures are the same under both names");

int __wrap_open64(const char *path, int flags, ...) __attribute__((alias("__wrap_open")));
int __wrap_openat64(int fd, const char *path, int flags, ...)
	__attribute__((alias("__wrap_openat")));
FILE *__wrap_fopen64(const char *path, const char *mode) __attribute__((alias("__wrap_fopen")));
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t at)
	__attribute__((alias("__wrap_pread")));
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t at)
	__attribute__((alias("__wrap_pwrite")));
int __wrap_fstat64(int fd, struct stat *status) __attribute__((alias("__wrap_fstat")));
int __wrap_ftruncate64(int fd, off_t size) __attribute__((alias("__wrap_ftruncate")));
struct dirent *__wrap_readdir64(DIR *directory) __attribute__((alias("__wrap_readdir")));
