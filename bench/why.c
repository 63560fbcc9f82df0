// SPDX-License-Identifier: MIT
/*
 * What tphctl why and group cost on a machine of 256 functions, all in one IOMMU group. Wall time
 * alone says little of a program on another machine, so it is told in units of tphctl list, which
 * reads the configuration space of the same functions, measured in the same run, turn by turn.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../tests/lib/simulated_tree.h"

#define FUNCTIONS	256
#define ROUNDS		50

extern char **environ;

static void make_machine(const char *root)
{
	char address[16];

	tree_make(root);
	for (int i = 1; i < FUNCTIONS; i++) {
		snprintf(address, sizeof(address), "0000:01:%02x.%d", i / 8, i % 8);
		tree_function(root, &(struct tree_function){
				.parents = "pci0000:00/" TREE_PORT, .address = address,
				.driver = "vfio-pci", .group = "12", .multifunction = 1 });
	}
}

static double seconds_of(const char *tphctl, const char *root, const char *command,
			 const char *address)
{
	char *words[] = { (char *)tphctl, (char *)"--sysfs", (char *)root, (char *)command,
			  (char *)address, NULL };
	posix_spawn_file_actions_t actions;
	struct timespec from, to;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (posix_spawn(&pid, tphctl, &actions, NULL, words, environ) ||
	    waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 2) {
		fprintf(stderr, "bench: %s %s does not run\n", tphctl, command);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	posix_spawn_file_actions_destroy(&actions);
	return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static int ascending(const void *one, const void *other)
{
	double difference = *(const double *)one - *(const double *)other;

	return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv)
{
	static const char *const commands[] = { "list", "why", "group" };
	double seconds[3][ROUNDS];

	if (argc != 3) {
		fprintf(stderr, "usage: bench-why TPHCTL FOLDER\n");
		return 2;
	}
	make_machine(argv[2]);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 3; i++)
			seconds[i][round] = seconds_of(argv[1], argv[2], commands[i],
						       i ? TREE_ENDPOINT : NULL);
	for (int i = 0; i < 3; i++)
		qsort(seconds[i], ROUNDS, sizeof(seconds[i][0]), ascending);
	printf("%d functions in one group, median of %d runs, in units of tphctl list:\n"
	       "  tphctl why    %.2f\n  tphctl group  %.2f\n", FUNCTIONS, ROUNDS,
	       seconds[1][ROUNDS / 2] / seconds[0][ROUNDS / 2],
	       seconds[2][ROUNDS / 2] / seconds[0][ROUNDS / 2]);
	if (getenv("BENCH_KEEP"))
		return 0;
	tree_remove(argv[2]);
	return 0;
}
