/* SPDX-License-Identifier: MIT */
/*
 * A scenario is played step by step: libtph's model of the group says what the kernel will answer,
 * then the kernel is asked, and one line of the table tells of both. What the answer has to be is
 * written in the scenario: a step is right if all three agree.
 *
 * Lines of the table begin with "#|", so that they are comments of the TAP output that they are in.
 */
#ifndef SCENARIO_STAGE_H
#define SCENARIO_STAGE_H

#include <stdbool.h>

#include "tph_group.h"

#include "kernel.h"

/** stage_begin() - a scenario with the group of @bdf; the model is read here. */
void stage_begin(const char *title, const char *bdf);

/** stage_end() - over: the model must have ended where the kernel has. */
void stage_end(void);

/** stage_summary() - Return: the program's exit status. */
int stage_summary(void);

/* The steps. @id: of the step; @expected: 0 or a negative errno. */
void play_open(const char *id, const char *question, struct actor *actor);
void play_use(const char *id, const char *question, struct actor *actor, int expected);
void play_bind(const char *id, const char *question, struct actor *actor,
	       const struct context *context, int expected);
void play_attach(const char *id, const char *question, struct actor *actor,
		 const struct context *context, uint32_t space, int expected);
void play_detach(const char *id, const char *question, struct actor *actor, int expected);
void play_close(const char *id, const char *question, struct actor *actor);
void play_hot_reset(const char *id, const char *question, struct actor *actor, int expected);
void play_give(const char *id, const char *question, struct actor *actor, const char *driver,
	       int expected);
void play_take(const char *id, const char *question, struct actor *actor, int expected);
pid_t play_take_in_use(const char *id, const char *question, struct actor *actor);
void play_take_done(const char *id, const char *question, struct actor *actor, pid_t pid);
void play_group_open(const char *id, const char *question, struct actor *actor, uint32_t context,
		     int *group, int expected);
void play_set_container(const char *id, const char *question, struct actor *actor, int group,
			int container, int expected);
void play_group_close(const char *id, const char *question, struct actor *actor, int *group);

/*
 * Where does the DMA of @bdf go? @space: expected: 1 or 2, NOWHERE or HOST; @context: whose
 * spaces.
 */
#define NOWHERE	0
#define HOST	(-1)
void play_dma(const char *id, const char *question, const char *bdf,
	      const struct context *context, int space);

/** pages_landed() - where writes ended since pages_arm(): as above; -2: in two places. */
void pages_arm(const struct context *context);
int pages_landed(const struct context *context);

/** stage_dma_of() - where the model sends the DMA of @bdf: as above. */
int stage_dma_of(const char *bdf);

/** stage_line() - a line of the table that no step of the model is behind. */
void stage_line(const char *id, const char *question, const char *predicted, const char *happened,
		const char *decided_by, const char *because);

/** stage_facts(), stage_member() - the model as it is. */
struct tph_group_facts stage_facts(void);
struct tph_group_member stage_member(const char *bdf);

#endif /* SCENARIO_STAGE_H */
