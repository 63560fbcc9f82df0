// SPDX-License-Identifier: MIT
/*
 * What meson installs: everything in its place, no symbol but those of the headers, and enough for
 * a program outside the tree to be built with pkg-config and run.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTPUT_SIZE	65536

static char destination[] = "/tmp/vfio-tph-install-XXXXXX";
static char output[OUTPUT_SIZE];

/* Run by the shell; its exit status, and what it wrote in output. */
static int __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
	char command[8192];
	va_list arguments;
	size_t length;
	int status;
	FILE *pipe;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	while (fgetc(pipe) != EOF)
		;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void assert_works(int status)
{
	if (status)
		fail_msg("status %d: %s", status, output);
}

static int install(void **context)
{
	(void)context;
	if (!mkdtemp(destination))
		return -1;
	if (!shell("DESTDIR=%s %s install -C '%s' --no-rebuild 2>&1", destination, MESON, BUILD))
		return 0;
	fprintf(stderr, "%s", output);
	return -1;
}

static int uninstall(void **context)
{
	(void)context;
	return shell("rm -r %s", destination);
}

static void files_are_in_their_places(void **context)
{
	static const char *const files[] = {
		INCLUDEDIR "/tph.h", INCLUDEDIR "/tph_group.h", INCLUDEDIR "/tph/linux/vfio_tph.h",
		INCLUDEDIR "/tph/linux/vfio_tph_legacy.h",
		LIBDIR "/libtph.so", LIBDIR "/libtph.so.0", LIBDIR "/libtph.so." TPH_VERSION,
		LIBDIR "/libtph.a", LIBDIR "/pkgconfig/tph.pc", SBINDIR "/tphctl",
		MANDIR "/man3/libtph.3", MANDIR "/man8/tphctl.8",
		DATADIR "/bash-completion/completions/tphctl",
		PREFIX "/lib/systemd/system/tphctl@.service",
		PREFIX "/lib/systemd/system/tphctl-follow@.service",
		DATADIR "/vfio-tph/guest-tags.asl",
		PREFIX "/lib/udev/rules.d/60-tphctl.rules",
	};
	char path[PATH_MAX];

	(void)context;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s%s", destination, files[i]);
		if (access(path, R_OK))
			fail_msg("%s: %s", files[i], strerror(errno));
	}
}

/* Both sorted, one a line; the headers' are those that stand before a parenthesis. */
static void symbols_are_those_of_the_header(void **context)
{
	char declared[OUTPUT_SIZE];

	(void)context;
	assert_works(shell("sed -n 's/^[a-z].*[ *]\\(tph_[a-z_]*\\)(.*/\\1/p' "
			   "%s" INCLUDEDIR "/tph.h %s" INCLUDEDIR "/tph_group.h | sort",
			   destination, destination));
	assert_true(strlen(output) > 100);
	memcpy(declared, output, sizeof(declared));
	assert_works(shell("nm -D --defined-only %s" LIBDIR "/libtph.so | "
			   "sed -n 's/.* T \\(.*\\)@@TPH_0\\.1$/\\1/p' | sort", destination));
	assert_string_equal(output, declared);
	/* None without a version, none of another kind; the version's own name is no symbol. */
	assert_works(shell("nm -D --defined-only %s" LIBDIR "/libtph.so | "
			   "grep -v ' T .*@@TPH_0\\.1$' | grep -v ' A TPH_0\\.1$' | "
			   "grep -v __asan_ | wc -l", destination));
	assert_string_equal(output, "0\n");
}

/* Whoever links it statically has names of his own. */
static void names_in_the_archive_are_prefixed(void **context)
{
	(void)context;
	assert_works(shell("nm -g --defined-only %s" LIBDIR "/libtph.a | sed -n 's/^[0-9a-f]* [A-Z] //p' | "
			   "grep -v '^tph_' | grep -vE '^__(asan|odr_asan|ubsan|gcov)' | tr '\\n' ' '",
			   destination));
	assert_string_equal(output, "");
}

/* Its names without the prefix, but for those of libc, are what a program may have. */
static void names_of_a_program_do_not_collide(void **context)
{
	(void)context;
	assert_works(shell("cd %s && nm -g --defined-only .%s/libtph.a | "
			   "sed -n 's/^[0-9a-f]* [TDBR] tph_//p' | grep _ | sort -u | "
			   "sed 's/.*/int &(void); int &(void) { return 1; }/' >own.c && "
			   "test $(wc -l <own.c) -gt 30 && grep -q ' group_path(' own.c && "
			   "printf '#include <tph.h>\\n#include <tph_group.h>\\nint main(void) { "
			   "struct tph_group *g; struct tph_device *d; "
			   "return tph_group_read(\"/\", \"x\", &g) && tph_open(\"x\", &d) ? 0 : 1; }\\n'"
			   " >main.c && %s %s -fno-builtin -w -I.%s -o both main.c own.c .%s/libtph.a 2>&1 && "
			   "./both", destination, LIBDIR, CC, SANITIZE, INCLUDEDIR, LIBDIR));
}

static void program_outside_the_tree(void **context)
{
	(void)context;
	assert_works(shell("cd %s && PKG_CONFIG_LIBDIR=%s" LIBDIR "/pkgconfig "
			   "PKG_CONFIG_SYSROOT_DIR=%s sh -c '%s %s -Wall -Wextra -Werror -pedantic "
			   "-std=c11 -o hello %s $(pkg-config --cflags --libs tph)' 2>&1",
			   destination, destination, destination, CC, SANITIZE, EXAMPLE));
	assert_int_equal(shell("LD_LIBRARY_PATH=%s" LIBDIR " %s/hello 2>&1", destination,
			       destination), 2);
	assert_non_null(strstr(output, "usage: hello-tph"));
	assert_int_equal(shell("LD_LIBRARY_PATH=%s" LIBDIR " %s/hello ffff:ff:1f.7 2>&1",
			       destination, destination), 1);
	assert_non_null(strstr(output, "ffff:ff:1f.7: No such device"));
	assert_works(shell("PKG_CONFIG_LIBDIR=%s" LIBDIR "/pkgconfig pkg-config --modversion tph",
			   destination));
	assert_string_equal(output, TPH_VERSION "\n");
}

/* The folders of the kernel's headers and of libc are others' to fill. */
static void headers_collide_with_none(void **context)
{
	(void)context;
	assert_works(shell("cd %s" INCLUDEDIR " && ls -A | sort | tr '\\n' ' '", destination));
	assert_string_equal(output, EMULATOR ? "tph tph.h tph_emu.h tph_group.h "
					     : "tph tph.h tph_group.h ");
}

/* In any order, as C and as C++, each header found as its user writes it. */
static void every_header_can_be_included(void **context)
{
	static const char *const compilers[] = { CC " -x c -std=c11", CXX " -x c++ -std=c++11" };
	static const char *const headers[] = { "tph.h", "tph_group.h", "tph/linux/vfio_tph.h",
					       "tph/linux/vfio_tph_legacy.h", "tph_emu.h" };
	const size_t count = sizeof(headers) / sizeof(*headers) - !EMULATOR;

	(void)context;
	for (size_t i = 0; i < sizeof(compilers) / sizeof(*compilers); i++)
		for (size_t j = 0; j < count; j++)
			assert_works(shell("cd %s && export PKG_CONFIG_SYSROOT_DIR=%s && printf '#include "
					   "<%s>\\nint main() { return 0; }\\n' | %s -Wall -Wextra -Werror "
					   "-fsyntax-only $(PKG_CONFIG_LIBDIR=%s" LIBDIR "/pkgconfig "
					   "pkg-config --cflags tph) - 2>&1", destination, destination,
					   headers[j], compilers[i], destination));
}

/* Both name the tool and the folder by the places that these have. */
static void unit_and_rule_are_of_this_prefix(void **context)
{
	(void)context;
	assert_works(shell("grep -x 'ExecStart=" SBINDIR "/tphctl apply %%i' "
			   "%s" PREFIX "/lib/systemd/system/tphctl@.service", destination));
	assert_works(shell("grep -x 'ExecStart=" SBINDIR "/tphctl follow %%i' "
			   "%s" PREFIX "/lib/systemd/system/tphctl-follow@.service", destination));
	assert_works(shell("grep 'TEST==\"" CONFIG "/$kernel\"' %s" PREFIX
			   "/lib/udev/rules.d/60-tphctl.rules && ! grep '@[a-z]*@' %s" PREFIX
			   "/lib/udev/rules.d/60-tphctl.rules", destination, destination));
	assert_works(shell("grep -a -q '" CONFIG "' %s" SBINDIR "/tphctl", destination));
}

static void tool_finds_its_library(void **context)
{
	(void)context;
	assert_works(shell("LD_LIBRARY_PATH=%s" LIBDIR " %s" SBINDIR "/tphctl --version",
			   destination, destination));
	assert_string_equal(output, "tphctl " TPH_VERSION ", libtph " TPH_VERSION "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_in_their_places),
		cmocka_unit_test(symbols_are_those_of_the_header),
		cmocka_unit_test(names_in_the_archive_are_prefixed),
		cmocka_unit_test(names_of_a_program_do_not_collide),
		cmocka_unit_test(program_outside_the_tree),
		cmocka_unit_test(headers_collide_with_none),
		cmocka_unit_test(every_header_can_be_included),
		cmocka_unit_test(unit_and_rule_are_of_this_prefix),
		cmocka_unit_test(tool_finds_its_library),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("install", tests, install, uninstall);
}
