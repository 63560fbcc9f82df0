// SPDX-License-Identifier: MIT
/*
 * lib/beneath.c on the real kernel, by openat2() and, where a filter of system calls says that there
 * is none, by its own steps: the answers are the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "beneath.h"

#define CANARY	"nobody reads this"

static char base[] = "/tmp/tph-beneath-XXXXXX";
static int top = -1;

static void put(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", base, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0 && !fclose(file));
}

static void link_to(const char *target, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	assert_int_equal(symlink(target, path), 0);
}

static void folder(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int make_tree(void **context)
{
	char path[PATH_MAX], name[64], target[64];

	(void)context;
	if (!mkdtemp(base))
		return -1;
	put("outside", CANARY);
	folder("top");
	folder("top/a");
	folder("top/a/b");
	put("top/a/file", "inside");
	link_to("../a/file", "top/a/around");
	link_to("../../file", "top/a/b/up");
	link_to("a/b/../file", "top/within");
	link_to("a", "top/folder");
	link_to(".", "top/self");
	link_to("..", "top/parent");
	link_to("../outside", "top/out");
	link_to("../top/a/file", "top/out-and-in");
	link_to("../../../../../../../../../../../../etc/passwd", "top/a/far");
	snprintf(path, sizeof(path), "%s/top/a/file", base);
	link_to(path, "top/absolute");
	link_to("/", "top/root");
	link_to("/proc/self/root", "top/magic");
	link_to("loop-2", "top/loop-1");
	link_to("loop-1", "top/loop-2");
	link_to("nothing", "top/dangling");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "top/chain-%d", i);
		snprintf(target, sizeof(target), "chain-%d", i - 1);
		link_to(i ? target : "a/file", name);
	}
	snprintf(path, sizeof(path), "%s/top/fifo", base);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/top", base);
	top = tph_beneath_top(path);
	return top < 0;
}

static int remove_tree(void **context)
{
	char command[PATH_MAX];

	(void)context;
	close(top);
	snprintf(command, sizeof(command), "rm -r %s", base);
	return system(command);
}

static unsigned int descriptors(void)
{
	DIR *own = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(own);
	while (readdir(own))
		count++;
	closedir(own);
	return count;
}

static const struct {
	const char *path;
	int flags, answer;	/* 0: it is opened */
} opened[] = {
	{ "a/file", 0, 0 },
	{ "a/around", 0, 0 },
	{ "within", 0, 0 },
	{ "folder/file", 0, 0 },
	{ "folder//./b/../file", 0, 0 },
	{ "self/self/self/a/file", 0, 0 },
	{ "chain-39", 0, 0 },
	{ "a", O_DIRECTORY, 0 },
	{ "self", O_DIRECTORY, 0 },
	{ "a/..", O_DIRECTORY, 0 },
	{ ".", O_DIRECTORY, 0 },
	{ "a/file", O_WRONLY, 0 },
	{ "a/around", O_WRONLY, 0 },
	{ "chain-49", 0, -ELOOP },
	{ "loop-1", 0, -ELOOP },
	{ "loop-1/x", 0, -ELOOP },
	{ "a/b/up", 0, -ENOENT },
	{ "dangling", 0, -ENOENT },
	{ "dangling", O_WRONLY, -ENOENT },
	{ "nothing/at/all", 0, -ENOENT },
	{ "a/file/x", 0, -ENOTDIR },
	{ "out", 0, -EXDEV },
	{ "out", O_WRONLY, -EXDEV },
	{ "out-and-in", 0, -EXDEV },
	{ "parent", O_DIRECTORY, -EXDEV },
	{ "parent/outside", 0, -EXDEV },
	{ "parent/outside", O_WRONLY, -EXDEV },
	{ "../outside", 0, -EXDEV },
	{ "a/../../outside", 0, -EXDEV },
	{ "a/b/../../../top/a/file", 0, -EXDEV },
	{ "a/far", 0, -EXDEV },
	{ "absolute", 0, -EXDEV },
	{ "absolute", O_WRONLY, -EXDEV },
	{ "root", O_DIRECTORY, -EXDEV },
	{ "root/etc/passwd", 0, -EXDEV },
	{ "magic/etc/passwd", 0, -EXDEV },
	{ "/etc/passwd", 0, -EXDEV },
	{ "fifo", 0, -EINVAL },
	{ "fifo", O_WRONLY, -EINVAL },
	{ "fifo", O_DIRECTORY, -EINVAL },
	{ "a", 0, -EINVAL },
	{ "a/file", O_DIRECTORY, -EINVAL },
};

static void check_opened(void)
{
	unsigned int before = descriptors();

	for (size_t i = 0; i < sizeof(opened) / sizeof(*opened); i++) {
		int fd = tph_beneath_open(top, opened[i].path, opened[i].flags);

		if (opened[i].answer ? fd != opened[i].answer : fd < 0)
			fail_msg("%s, flags %d: %d (%s)", opened[i].path, opened[i].flags, fd,
				 strerror(-fd));
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(descriptors(), before);
}

static void check_found(void)
{
	unsigned int before = descriptors();

	assert_int_equal(tph_beneath_find(top, "a/around"), 0);
	assert_int_equal(tph_beneath_find(top, "fifo"), 0);
	assert_int_equal(tph_beneath_find(top, "self/folder/b"), 0);
	assert_int_equal(tph_beneath_find(top, "dangling"), -ENOENT);
	assert_int_equal(tph_beneath_find(top, "out"), -EXDEV);
	assert_int_equal(tph_beneath_find(top, "absolute"), -EXDEV);
	assert_int_equal(tph_beneath_find(top, "loop-2"), -ELOOP);
	assert_int_equal(descriptors(), before);
}

static void check_links(void)
{
	unsigned int before = descriptors();
	char target[PATH_MAX], small[11];

	/* where it points is said, whatever is there */
	assert_int_equal(tph_beneath_link(top, "out", target, sizeof(target)), 0);
	assert_string_equal(target, "../outside");
	assert_int_equal(tph_beneath_link(top, "loop-1", target, sizeof(target)), 0);
	assert_string_equal(target, "loop-2");
	assert_int_equal(tph_beneath_link(top, "folder/around", target, sizeof(target)), 0);
	assert_string_equal(target, "../a/file");
	assert_int_equal(tph_beneath_link(top, "out", small, sizeof(small)), 0);
	assert_int_equal(tph_beneath_link(top, "out", small, sizeof(small) - 1), -ENAMETOOLONG);
	assert_int_equal(tph_beneath_link(top, "a/file", target, sizeof(target)), -EINVAL);
	assert_int_equal(tph_beneath_link(top, "a", target, sizeof(target)), -EINVAL);
	assert_int_equal(tph_beneath_link(top, "nothing", target, sizeof(target)), -ENOENT);
	assert_int_equal(tph_beneath_link(top, "root/proc/self/exe", target, sizeof(target)), -EXDEV);
	assert_int_equal(tph_beneath_link(top, "parent/top/out", target, sizeof(target)), -EXDEV);
	assert_int_equal(descriptors(), before);
}

/* More folders in a row than are kept open, though never at once. */
static void check_long_way(void)
{
	char path[PATH_MAX] = "";
	int fd;

	for (int i = 0; i < 300; i++)
		strcat(path, "a/../");
	strcat(path, "a/file");
	fd = tph_beneath_open(top, path, 0);
	assert_true(fd >= 0);
	close(fd);
}

/* To open a device may set something going; a FIFO stands for it. */
static void what_is_no_file_is_not_opened(void **context)
{
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[PATH_MAX], event[512];

	(void)context;
	snprintf(path, sizeof(path), "%s/top/fifo", base);
	assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_int_equal(tph_beneath_open(top, "fifo", 0), -EINVAL);
	assert_int_equal(tph_beneath_open(top, "fifo", O_WRONLY), -EINVAL);
	assert_int_equal(tph_beneath_find(top, "fifo"), 0);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
	close(watch);
}

static void nothing_leads_out(void **context)
{
	(void)context;
	check_opened();
	check_found();
	check_links();
	check_long_way();
}

static void nothing_leads_out_without_openat2(void **context)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	(void)context;
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	assert_int_equal(syscall(SYS_openat2, top, "a", NULL, 0), -1);
	assert_int_equal(errno, ENOSYS);
	check_opened();
	check_found();
	check_links();
	check_long_way();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_file_is_not_opened),
		cmocka_unit_test(nothing_leads_out),
		cmocka_unit_test(nothing_leads_out_without_openat2),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("beneath", tests, make_tree, remove_tree);
}
