// SPDX-License-Identifier: GPL-2.0-only
/* What is saved for a device: see profile.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binding.h"
#include "profile.h"

/* more than the longest CPU list, and so more than any that makes sense */
#define PROFILE_SIZE	8192

/** profile_folder() - decide where the files are, once a command. Return: exit status. */
int profile_folder(struct tphctl *ctl, const struct invocation *invocation)
{
	const char *given = invocation->value[OPTION_CONFIG];

	if (!given && ctl->foreign_sysfs)
		return fail(ctl, TPHCTL_USAGE, "option --sysfs", ctl->sysfs, "give --config DIR",
			    "what is saved on this machine is not for the devices of another");
	if (given)
		ctl->config = given;
	return TPHCTL_OK;
}

/**
 * profile_name_check() - whether a file is named after a device, or after ids
 * @canonical: receives the address as the file must be called, if it is one at all
 */
bool profile_name_check(const char *name, char canonical[TPH_ADDRESS_SIZE], bool *is_address)
{
	static const char form[] = "xxxx:xxxx";
	size_t at;

	*is_address = !tph_address_parse(name, canonical);
	if (*is_address)
		return !strcmp(name, canonical);
	for (at = 0; at < sizeof(form) - 1; at++)
		if (form[at] == 'x' ? !isxdigit((unsigned char)name[at]) ||
				      isupper((unsigned char)name[at]) : name[at] != form[at])
			return false;
	return !name[at];
}

static int wrong(struct tphctl *ctl, const char *path, unsigned int line, const char *remedy,
		 const char *reason, const char *what)
{
	char place[256];

	/* the end of a long path tells more than its begin */
	if (line)
		snprintf(place, sizeof(place), "%.200s:%u",
			 path + (strlen(path) > 200 ? strlen(path) - 200 : 0), line);
	else
		snprintf(place, sizeof(place), "%.255s",
			 path + (strlen(path) > 255 ? strlen(path) - 255 : 0));
	return fail(ctl, TPHCTL_FAILED, "file", place, remedy, "%s%s", reason, what);
}

/* Who may write it decides who gets devices: root, or whoever runs this. */
static int check_owner(struct tphctl *ctl, const char *path, const struct stat *status)
{
	if (status->st_uid && status->st_uid != geteuid())
		return wrong(ctl, path, 0, "chown root it", "it belongs to another user", "");
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return wrong(ctl, path, 0, "chmod go-w it", "others than its owner can write it", "");
	return TPHCTL_OK;
}

static int check_folder(struct tphctl *ctl)
{
	struct stat status;

	if (stat(ctl->config, &status))
		return errno == ENOENT ? TPHCTL_OK :
		       fail(ctl, exit_code_of(-errno), "folder", ctl->config, "run as root",
			    "it cannot be looked at: %s", strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return wrong(ctl, ctl->config, 0, "make it a folder", "it is no folder", "");
	return check_owner(ctl, ctl->config, &status);
}

/* One value, checked by whoever checks it on the command line. */
static int take_value(struct tphctl *ctl, struct profile *profile, const char *key, char *value,
		      unsigned int line)
{
	struct invocation words = { 0 };
	struct {
		const char *key;
		enum option_id option;
		char *text;
		size_t size;
	} keys[] = {
		{ "driver", OPTION_DRIVER, profile->driver, sizeof(profile->driver) },
		{ "policy", OPTION_POLICY, profile->policy, sizeof(profile->policy) },
		{ "cpus", OPTION_CPUS, profile->cpus, sizeof(profile->cpus) },
		{ "publish", OPTION_PUBLISH, profile->publish, sizeof(profile->publish) },
	};
	size_t i = 0;
	int code;

	while (i < sizeof(keys) / sizeof(*keys) && strcmp(key, keys[i].key))
		i++;
	if (i == sizeof(keys) / sizeof(*keys))
		return wrong(ctl, profile->path, line, "keys are driver, policy, cpus and publish",
			     "there is no such key: ", key);
	if (*keys[i].text)
		return wrong(ctl, profile->path, line, "give it once",
			     "this key was given before: ", key);
	if (!*value)
		return wrong(ctl, profile->path, line, "give it a value, or leave the line out",
			     "it has no value: ", key);
	if (strlen(value) >= keys[i].size)
		return wrong(ctl, profile->path, line, "give a shorter one",
			     "its value is too long: ", key);
	words.value[keys[i].option] = value;
	code = terms_parse(ctl, &words, &profile->terms);
	if (!code && keys[i].option == OPTION_DRIVER)
		code = driver_name_check(ctl, value);
	if (code) {
		struct failure failure = ctl->failure;

		wrong(ctl, profile->path, line, failure.remedy, "", "");
		add_reason(ctl, "%s=%s: %s", key, value, failure.reason);
		return TPHCTL_FAILED;
	}
	strcpy(keys[i].text, value);
	return TPHCTL_OK;
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	for (length = strlen(text); length && strchr(" \t\r", text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

static int parse_line(struct tphctl *ctl, struct profile *profile, char *text, unsigned int line)
{
	char *equals;

	text = trim(text);
	if (!*text || *text == '#')
		return TPHCTL_OK;
	equals = strchr(text, '=');
	if (!equals)
		return wrong(ctl, profile->path, line, "write KEY=VALUE", "there is no = in it: ",
			     text);
	*equals = '\0';
	return take_value(ctl, profile, trim(text), trim(equals + 1), line);
}

static int parse(struct tphctl *ctl, struct profile *profile, char *text, size_t length)
{
	struct invocation words = { 0 };
	unsigned int line = 1;

	for (char *begin = text; begin < text + length; line++) {
		char *end = memchr(begin, '\n', (size_t)(text + length - begin));
		int code;

		end = end ? end : text + length;
		*end = '\0';
		if (strlen(begin) != (size_t)(end - begin))
			return wrong(ctl, profile->path, line, "write plain text",
				     "there is a zero byte in it", "");
		code = parse_line(ctl, profile, begin, line);
		if (code)
			return code;
		begin = end + 1;
	}
	words.value[OPTION_POLICY] = *profile->policy ? profile->policy : NULL;
	words.value[OPTION_CPUS] = *profile->cpus ? profile->cpus : NULL;
	words.value[OPTION_PUBLISH] = *profile->publish ? profile->publish : NULL;
	if (!strcmp(profile->driver, PROFILE_NO_DRIVER) &&
	    (*profile->policy || *profile->cpus || *profile->publish))
		return wrong(ctl, profile->path, 0, "leave the other lines out",
			     "with driver=" PROFILE_NO_DRIVER " there is nobody to take them", "");
	return terms_parse(ctl, &words, &profile->terms);
}

/* Return: 0, -ENOENT: there is no such file; else ctl->failure is told, and it is the exit status. */
static int read_file(struct tphctl *ctl, const char *name, struct profile *profile)
{
	char text[PROFILE_SIZE + 1];
	struct stat status;
	ssize_t length;
	int code, fd;

	memset(profile, 0, sizeof(*profile));
	if (snprintf(profile->path, sizeof(profile->path), "%s/%s", ctl->config, name) >=
	    (int)sizeof(profile->path))
		return fail(ctl, TPHCTL_FAILED, "folder", ctl->config, "give a shorter name",
			    "its name is too long");
	/* not to wait for what is no file */
	fd = open(profile->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &status)) {
		code = exit_code_of(-errno);
		wrong(ctl, profile->path, 0, "run as root", "it cannot be read: ", strerror(errno));
		if (fd >= 0)
			close(fd);
		return ctl->failure.code = code;
	}
	code = S_ISREG(status.st_mode) ? check_owner(ctl, profile->path, &status) :
	       wrong(ctl, profile->path, 0, "remove it", "it is no file", "");
	if (code) {
		close(fd);
		return code;
	}
	length = read(fd, text, sizeof(text));
	close(fd);
	if (length < 0)
		return wrong(ctl, profile->path, 0, "look at dmesg", "it cannot be read: ",
			     strerror(errno));
	if (length > PROFILE_SIZE)
		return wrong(ctl, profile->path, 0, "write it anew", "it is too long", "");
	return parse(ctl, profile, text, (size_t)length);
}

static void ids_name(const struct pci_function *function, char name[TPH_ADDRESS_SIZE])
{
	snprintf(name, TPH_ADDRESS_SIZE, "%04x:%04x", function->vendor, function->device);
}

/**
 * profile_find() - what is saved for a function
 *
 * Return: 0; -ENOENT: nothing; else the exit status, and the failure is told.
 */
int profile_find(struct tphctl *ctl, const struct pci_function *function, struct profile *profile)
{
	char ids[TPH_ADDRESS_SIZE];
	int code = check_folder(ctl);

	if (code)
		return code;
	code = read_file(ctl, function->address, profile);
	if (code != -ENOENT)
		return code;
	ids_name(function, ids);
	return read_file(ctl, ids, profile);
}

/* Those of editors and of package managers, and drafts. */
static bool is_other(const char *name)
{
	size_t length = strlen(name);

	return name[0] == '.' || name[length - 1] == '~' || strstr(name, ".dpkg-") ||
	       strstr(name, ".rpm");
}

static int compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/**
 * profile_list() - the names of all files, in order
 * @names: receives them; free each, and it
 *
 * Return: exit status; a folder that is not there has none.
 */
int profile_list(struct tphctl *ctl, char ***names, size_t *count)
{
	int code = check_folder(ctl), error = 0;
	struct dirent *entry;
	char **more;
	DIR *folder;

	*names = NULL;
	*count = 0;
	if (code)
		return code;
	folder = opendir(ctl->config);
	if (!folder && errno == ENOENT)
		return TPHCTL_OK;
	if (!folder)
		return fail(ctl, exit_code_of(-errno), "folder", ctl->config, "run as root",
			    "it cannot be read: %s", strerror(errno));
	while (!error && (errno = 0, entry = readdir(folder))) {
		if (is_other(entry->d_name))
			continue;
		more = realloc(*names, (*count + 1) * sizeof(**names));
		if (more)
			*names = more;
		if (!more || !(more[*count] = strdup(entry->d_name)))
			error = ENOMEM;
		else
			++*count;
	}
	error = error ? error : errno;
	closedir(folder);
	if (!error) {
		if (*count)
			qsort(*names, *count, sizeof(**names), compare);
		return TPHCTL_OK;
	}
	while (*count)
		free((*names)[--*count]);
	free(*names);
	*names = NULL;
	return fail(ctl, TPHCTL_FAILED, "folder", ctl->config, "look at dmesg",
		    "it cannot be read: %s", strerror(error));
}

static int unwritable(struct tphctl *ctl, const char *path, int error)
{
	return fail(ctl, error == EROFS ? TPHCTL_NOT_PERMITTED : exit_code_of(-error), "file", path,
		    error == EACCES || error == EPERM ? "run as root" : "make room for it",
		    "it cannot be written: %s", strerror(error));
}

static int draft_paths(struct tphctl *ctl, const char *address, struct profile_draft *draft)
{
	memset(draft, 0, sizeof(*draft));
	if (snprintf(draft->path, sizeof(draft->path), "%s/%s", ctl->config, address) >=
	    (int)sizeof(draft->path) ||
	    snprintf(draft->draft, sizeof(draft->draft), "%s/.%s.XXXXXX", ctl->config, address) >=
	    (int)sizeof(draft->draft))
		return fail(ctl, TPHCTL_FAILED, "folder", ctl->config, "give a shorter name",
			    "its name is too long");
	return TPHCTL_OK;
}

/* On the disk whole before it has its name. */
static int draft_write(struct tphctl *ctl, struct profile_draft *draft, const char *text)
{
	size_t length = strlen(text);
	ssize_t written;
	int error = 0, fd;

	if (mkdir(ctl->config, 0755) && errno != EEXIST)
		return unwritable(ctl, ctl->config, errno);
	fd = mkstemp(draft->draft);
	if (fd < 0) {
		draft->draft[0] = '\0';
		return unwritable(ctl, draft->path, errno);
	}
	written = write(fd, text, length);
	if (written < 0 || fchmod(fd, 0644) || fsync(fd))
		error = errno;
	else if ((size_t)written != length)
		error = ENOSPC;
	if (close(fd) && !error)
		error = errno;
	if (!error)
		return TPHCTL_OK;
	profile_discard(draft);
	return unwritable(ctl, draft->path, error);
}

/**
 * profile_draft() - write what the command line says, beside the place where it is to be
 *
 * To be followed by profile_commit() or profile_discard(). Return: exit status.
 */
int profile_draft(struct tphctl *ctl, const struct invocation *invocation,
		  const char *address, struct profile_draft *draft)
{
	static const struct {
		const char *key;
		enum option_id option;
	} keys[] = {
		{ "driver", OPTION_DRIVER }, { "policy", OPTION_POLICY },
		{ "cpus", OPTION_CPUS }, { "publish", OPTION_PUBLISH },
	};
	char text[PROFILE_SIZE + 1];
	int code = check_folder(ctl);
	size_t used;

	if (!code)
		code = draft_paths(ctl, address, draft);
	if (code)
		return code;
	used = (size_t)snprintf(text, sizeof(text), "# of tphctl bind --save, for tphctl apply\n");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (invocation->value[keys[i].option] && used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s=%s\n",
						 keys[i].key, invocation->value[keys[i].option]);
	if (used >= sizeof(text))
		return fail(ctl, TPHCTL_FAILED, "file", draft->path, "give a shorter CPU list",
			    "what is to be saved is too long");
	return draft_write(ctl, draft, text);
}

/**
 * profile_draft_removal() - prepare that nothing is saved for a function
 *
 * Where something is saved for its ids, that it is left alone is what is saved. Return: exit status.
 */
int profile_draft_removal(struct tphctl *ctl, const struct pci_function *function,
			  struct profile_draft *draft)
{
	char ids[TPH_ADDRESS_SIZE], path[PATH_MAX];
	int code = check_folder(ctl);

	if (!code)
		code = draft_paths(ctl, function->address, draft);
	if (code)
		return code;
	ids_name(function, ids);
	snprintf(path, sizeof(path), "%.4000s/%s", ctl->config, ids);
	if (!access(path, F_OK))
		return draft_write(ctl, draft, "# of tphctl unbind --save\n"
				   "driver=" PROFILE_NO_DRIVER "\n");
	draft->draft[0] = '\0';
	draft->removal = true;
	return TPHCTL_OK;
}

/* A name that is new, or gone, is on the disk when its folder is. */
static int folder_sync(const char *path)
{
	int error = 0, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (fsync(fd))
		error = errno;
	close(fd);
	return error;
}

/** profile_commit() - put a draft in its place. Return: exit status. */
int profile_commit(struct tphctl *ctl, const struct profile_draft *draft)
{
	int error = 0;

	if (draft->removal) {
		if (unlink(draft->path))
			return errno == ENOENT ? TPHCTL_OK : unwritable(ctl, draft->path, errno);
	} else if (rename(draft->draft, draft->path)) {
		error = errno;
		profile_discard(draft);
		return unwritable(ctl, draft->path, error);
	}
	error = folder_sync(ctl->config);
	return error ? unwritable(ctl, draft->path, error) : TPHCTL_OK;
}

/** profile_discard() - leave what was saved before as it is. */
void profile_discard(const struct profile_draft *draft)
{
	if (draft->draft[0])
		unlink(draft->draft);
}
