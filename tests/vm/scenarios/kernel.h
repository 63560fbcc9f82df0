/* SPDX-License-Identifier: MIT */
/* What the scenarios do to the kernel, each as one call. All: 0 or a negative errno. */
#ifndef SCENARIO_KERNEL_H
#define SCENARIO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPACES	2

/** struct actor - a function, and its VFIO device if it is open (else @fd is -1) */
struct actor {
	const char *bdf;
	int fd;
};

/**
 * struct context - a user: an iommufd with two address spaces
 * @number: what the model knows it by
 * @ioas: address space n has id @ioas[n - 1]
 * @page: its memory, at the IOVA that is the physical address of host_page()
 */
struct context {
	uint32_t number;
	int fd;
	uint32_t ioas[SPACES];
	uint32_t *page[SPACES];
};

/* Memory of nobody's address space, at a physical address that the spaces use as an IOVA. */
uint32_t *host_page(void);
uint32_t host_address(void);

void context_open(struct context *context, uint32_t number);
/* More memory for the address spaces: a page that they all have at @iova. */
void context_map(const struct context *context, uint64_t iova);
void context_close(struct context *context);

/* by its character device */
int device_open(struct actor *actor);
int device_use(const struct actor *actor);
int device_bind(const struct actor *actor, const struct context *context);
int device_attach(const struct actor *actor, const struct context *context, uint32_t space);
int device_detach(const struct actor *actor);
int device_close(struct actor *actor);
int device_hot_reset(const struct actor *actor);
int device_reset_owner(const struct actor *actor, const char *bdf, uint32_t *flags, int *devid);

/* An eventfd for the request to let go of the device; and whether it comes. */
int device_request_event(const struct actor *actor);
bool event_comes(int event);

/* by its group */
int group_open(const char *bdf, int *group);
int group_viable(int group);
int group_set_container(int group, int container);
int container_open(void);

/* sysfs */
void sysfs_write(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int sysfs_try(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sysfs_read(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int driver_bind(const char *bdf, const char *driver);
int driver_unbind(const char *bdf);
pid_t driver_unbind_begin(const char *bdf);
int driver_unbind_end(pid_t pid);
void driver_set(const char *bdf, const char *driver);

/* Ends the program: the machine is not what the scenario needs. */
void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif /* SCENARIO_KERNEL_H */
