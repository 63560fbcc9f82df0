// SPDX-License-Identifier: MIT
/*
 * Runs a harness over stored inputs, without a fuzzer: with any compiler, the same every time.
 * usage: NAME-replay FOLDER|FILE ...
 */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verdict.h"

#define INPUT_MAX	(1U << 20)
#define PATH_SIZE	4096

/** struct progress - shared with the process that runs the inputs, to tell which one ended it */
struct progress {
	unsigned int inputs;
	char path[PATH_SIZE];
};

static void die(const char *what, const char *which)
{
	fprintf(stderr, "replay: %s: ", which);
	perror(what);
	exit(2);
}

static void run_file(const char *path, struct progress *progress)
{
	/* as large as the input, so that the sanitizer sees a harness read on */
	struct stat status;
	FILE *file = fopen(path, "rb");
	uint8_t *bytes;
	size_t size;

	if (!file || fstat(fileno(file), &status))
		die("cannot open", path);
	size = status.st_size < (off_t)INPUT_MAX ? (size_t)status.st_size : INPUT_MAX;
	bytes = malloc(size ? size : 1);
	if (!bytes || fread(bytes, 1, size, file) != size)
		die("cannot read", path);
	fclose(file);

	snprintf(progress->path, sizeof(progress->path), "%s", path);
	LLVMFuzzerTestOneInput(bytes, size);
	progress->inputs++;
	free(bytes);
}

static void run_folder(const char *folder, struct progress *progress)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);
	char path[PATH_SIZE];

	if (count < 0)
		die("cannot list", folder);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
			run_file(path, progress);
		}
		free(names[i]);
	}
	free(names);
}

static void run(int argc, char **argv, struct progress *progress)
{
	struct stat status;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &status))
			die("cannot find", argv[i]);
		if (S_ISDIR(status.st_mode))
			run_folder(argv[i], progress);
		else
			run_file(argv[i], progress);
	}
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid;

	if (progress == MAP_FAILED)
		die("mmap", "shared memory");
	setvbuf(stdout, NULL, _IONBF, 0);
	puts("TAP version 13\n1..1");
	/* a broken rule or a sanitizer ends the process that finds it */
	pid = fork();
	if (!pid) {
		run(argc, argv, progress);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork", name);
	if (!status && progress->inputs) {
		printf("ok 1 - %s: %u inputs\n", name, progress->inputs);
		return 0;
	}
	printf("not ok 1 - %s: after %u inputs, at %s\n", name, progress->inputs,
	       progress->inputs || status ? progress->path : "none: there is no input");
	return 1;
}
