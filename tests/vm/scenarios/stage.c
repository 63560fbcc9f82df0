// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine.h"
#include "stage.h"

#define ARMED	0x5aa55aa5u	/* in the pages; edu writes zeros */

static struct tph_group *model;
static char home[32], scenario[128];
static unsigned int steps, wrong;

static const char *answer_name(int error, char name[32])
{
	const char *known = error ? strerrorname_np(-error) : "ok";

	snprintf(name, 32, "%s", known ? known : "?");
	return name;
}

/* One line of the table, and one of TAP. */
static void print_step(const char *id, const char *question, const char *predicted,
		       const char *happened, const char *expected, const char *decided_by,
		       const char *because)
{
	/* a question mark: sysfs does not show all that decides */
	bool right = !strncmp(predicted, happened, strcspn(predicted, "?")) &&
		     strlen(happened) == strcspn(predicted, "?") && !strcmp(happened, expected);

	printf("#| %-5s %-58s %-9s %-9s %s%s\n", id, question, predicted, happened, decided_by,
	       right ? "" : "   <-- DIFFERS");
	if (because && because[0])
		printf("#|       - %s\n", because);
	if (strcmp(happened, expected))
		printf("#|       - the scenario expects %s\n", expected);
	steps++;
	wrong += !right;
	printf("%sok - %s %s %s: %s\n", right ? "" : "not ", scenario, id, question, happened);
	fflush(stdout);
}

void stage_begin(const char *title, const char *bdf)
{
	struct tph_group_cause cause;
	int error = tph_group_read("/sys", bdf, &model);

	if (error)
		give_up("the group of %s: %s", bdf, strerror(-error));
	snprintf(home, sizeof(home), "%s", bdf);
	snprintf(scenario, sizeof(scenario), "%s", title);
	printf("#|\n#| %s\n", title);
	for (size_t i = 0; !tph_group_cause(model, i, &cause); i++)
		printf("#| %s group %d: %s\n", i ? "and" : "in", stage_facts().number,
		       cause.because);
	printf("#|\n#| %-5s %-58s %-9s %-9s %s\n", "step", "question", "predicted", "happened",
	       "decided by");
}

/* All is closed: drivers, and the absence of an owner, are what sysfs shows again. */
void stage_end(void)
{
	struct tph_group_member said, shown;
	struct tph_group *fresh;
	char difference[256] = "";
	int error = tph_group_read("/sys", home, &fresh);

	if (error)
		give_up("the group of %s: %s", home, strerror(-error));
	for (size_t i = 0; !tph_group_member(fresh, i, &shown); i++) {
		if (tph_group_member(model, i, &said) || strcmp(said.address, shown.address))
			snprintf(difference, sizeof(difference), "%.40s is new", shown.address);
		else if (strcmp(said.driver, shown.driver))
			snprintf(difference, sizeof(difference),
				 "%.40s has driver '%.60s', not '%.60s'", shown.address,
				 shown.driver, said.driver);
		else if (said.open != shown.open)
			snprintf(difference, sizeof(difference), "%.40s is open: %u, not %u",
				 shown.address, shown.open, said.open);
		else if (said.dma != shown.dma)
			snprintf(difference, sizeof(difference), "%.40s: DMA state %d, not %d",
				 shown.address, shown.dma, said.dma);
	}
	print_step("end", "does sysfs show the state in which the model ended?", "yes",
		   difference[0] ? "no" : "yes", "yes", "-", difference);
	tph_group_free(fresh);
	tph_group_free(model);
	model = NULL;
}

int stage_summary(void)
{
	printf("#|\n#= %u steps, %u differences\n", steps, wrong);
	return wrong ? 1 : 0;
}

struct tph_group_facts stage_facts(void)
{
	struct tph_group_facts facts;

	tph_group_describe(model, &facts);
	return facts;
}

struct tph_group_member stage_member(const char *bdf)
{
	struct tph_group_member member;
	size_t index;

	if (tph_group_find(model, bdf, &index) || tph_group_member(model, index, &member))
		give_up("%s is not in the group", bdf);
	return member;
}

static struct tph_group_answer predict(struct tph_group_step step, const char *bdf)
{
	struct tph_group_answer answer;
	int error = tph_group_find(model, bdf, &step.member);

	error = error ? error : tph_group_step(model, &step, &answer);
	if (error)
		give_up("step %d of %s: %s", step.kind, bdf, strerror(-error));
	return answer;
}

static void print_answer(const char *id, const char *question,
			 const struct tph_group_answer *answer, int happened, int expected)
{
	char predicted[32], done[32], wanted[32];

	answer_name(answer->error, predicted);
	if (!answer->certain)
		strcat(predicted, "?");
	print_step(id, question, predicted, answer_name(happened, done),
		   answer_name(expected, wanted), answer->decided_by, answer->because);
}

void stage_line(const char *id, const char *question, const char *predicted, const char *happened,
		const char *decided_by, const char *because)
{
	print_step(id, question, predicted, happened, predicted, decided_by, because);
}

/* The file of a VFIO device always opens; the model has no step for it. */
void play_open(const char *id, const char *question, struct actor *actor)
{
	char done[32];

	stage_line(id, question, "ok", answer_name(device_open(actor), done),
		   "vfio_device_fops_cdev_open",
		   "opening only takes note of the user: access is given at the bind");
}

void play_use(const char *id, const char *question, struct actor *actor, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){ .kind = TPH_STEP_USE },
						 actor->bdf);

	print_answer(id, question, &answer, device_use(actor), expected);
}

void play_bind(const char *id, const char *question, struct actor *actor,
	       const struct context *context, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_BIND, .context = context->number }, actor->bdf);
	int happened = device_open(actor);

	happened = happened ? happened : device_bind(actor, context);
	print_answer(id, question, &answer, happened, expected);
}

void play_attach(const char *id, const char *question, struct actor *actor,
		 const struct context *context, uint32_t space, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_ATTACH, .space = space }, actor->bdf);

	print_answer(id, question, &answer, device_attach(actor, context, space), expected);
}

void play_detach(const char *id, const char *question, struct actor *actor, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_DETACH }, actor->bdf);

	print_answer(id, question, &answer, device_detach(actor), expected);
}

void play_close(const char *id, const char *question, struct actor *actor)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_CLOSE }, actor->bdf);

	print_answer(id, question, &answer, device_close(actor), 0);
}

void play_hot_reset(const char *id, const char *question, struct actor *actor, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_HOT_RESET }, actor->bdf);

	print_answer(id, question, &answer, device_hot_reset(actor), expected);
}

void play_give(const char *id, const char *question, struct actor *actor, const char *driver,
	       int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_DRIVER_BIND, .driver = driver }, actor->bdf);

	print_answer(id, question, &answer, driver_bind(actor->bdf, driver), expected);
}

void play_take(const char *id, const char *question, struct actor *actor, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_DRIVER_UNBIND }, actor->bdf);

	if (answer.waits)
		give_up("%s: the unbind of %s would wait", id, actor->bdf);
	print_answer(id, question, &answer, driver_unbind(actor->bdf), expected);
}

/* Of a device that is open: Return: the process that waits. */
pid_t play_take_in_use(const char *id, const char *question, struct actor *actor)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_DRIVER_UNBIND }, actor->bdf);
	int request = device_request_event(actor);
	pid_t pid = driver_unbind_begin(actor->bdf);
	bool asked = event_comes(request);

	/* It asks the user to let go, and is not over then. */
	print_step(id, question, answer.waits ? "waits" : "returns",
		   asked && !waitpid(pid, NULL, WNOHANG) ? "waits" : "returns", "waits",
		   answer.decided_by, answer.because);
	close(request);
	return pid;
}

void play_take_done(const char *id, const char *question, struct actor *actor, pid_t pid)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_DRIVER_UNBIND }, actor->bdf);

	print_answer(id, question, &answer, driver_unbind_end(pid), 0);
}

void play_group_open(const char *id, const char *question, struct actor *actor, uint32_t context,
		     int *group, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_GROUP_OPEN, .context = context }, actor->bdf);

	print_answer(id, question, &answer, group_open(actor->bdf, group), expected);
}

void play_set_container(const char *id, const char *question, struct actor *actor, int group,
			int container, int expected)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_SET_CONTAINER }, actor->bdf);

	print_answer(id, question, &answer, group_set_container(group, container), expected);
}

void play_group_close(const char *id, const char *question, struct actor *actor, int *group)
{
	struct tph_group_answer answer = predict((struct tph_group_step){
		.kind = TPH_STEP_GROUP_CLOSE }, actor->bdf);

	print_answer(id, question, &answer, close(*group) ? -errno : 0, 0);
	*group = -1;
}

void pages_arm(const struct context *context)
{
	*host_page() = ARMED;
	for (int i = 0; context && i < SPACES; i++)
		*context->page[i] = ARMED;
}

int pages_landed(const struct context *context)
{
	int where = *(volatile uint32_t *)host_page() == ARMED ? NOWHERE : HOST;

	for (int i = 0; context && i < SPACES; i++) {
		if (*(volatile uint32_t *)context->page[i] == ARMED)
			continue;
		if (where != NOWHERE)
			return -2;
		where = i + 1;
	}
	return where;
}

int stage_dma_of(const char *bdf)
{
	switch (stage_member(bdf).dma) {
	case TPH_DMA_HOST_ALL:
		return HOST;
	case TPH_DMA_SPACE:
		return (int)stage_facts().space;
	default:
		return NOWHERE;
	}
}

static const char *place_name(int where, char name[32])
{
	if (where > 0)
		snprintf(name, 32, "space %d", where);
	else
		snprintf(name, 32, "%s",
			 where == NOWHERE ? "nowhere" : where == HOST ? "host" : "twice");
	return name;
}

void play_dma(const char *id, const char *question, const char *bdf,
	      const struct context *context, int space)
{
	char predicted[32], happened[32], expected[32];
	struct tph_group_member member = stage_member(bdf);
	struct engine engine;

	pages_arm(context);
	engine_open(&engine, bdf);
	engine_write(&engine, host_address());
	engine_close(&engine);
	print_step(id, question, place_name(stage_dma_of(bdf), predicted),
		   place_name(pages_landed(context), happened), place_name(space, expected),
		   "the IOMMU", member.dma_because);
}
