// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "instrument/log.h"
#include "keys.h"
#include "model.h"
#include "models/exerciser.h"
#include "pcie/profile.h"

#define FUNCTIONS_MAX 256 /* as many as a bus has */

static const char help[] =
	"Usage: tph-emu --function KEY=VALUE,... [--function ...] --log FILE [OPTION...]\n"
	"Emulates PCIe endpoints that are TPH requesters, for QEMU's vfio-user-pci, and logs the\n"
	"processing hint and steering tag of every TLP that they would send.\n"
	"\n"
	"  --function KEY=VALUE,...  add a function; keys:\n"
	"      socket=PATH           socket to serve vfio-user on (required)\n"
	"      name=NAME             name in the log (ep0, ep1, ...)\n"
	"      rid=BB:DD.F           requester id in the log (00:00.0)\n"
	"      st-table=cap|msix|none  where the ST table is (cap)\n"
	"      entries=N             ST entries: cap 1..64 (64), msix 1..2048 (all vectors)\n"
	"      claim=N               ST entries that the capability says it has, 1..2048 (as many)\n"
	"      modes=nost+iv+ds      ST modes of operation, any of them, or none (all)\n"
	"      width=8|16            steering tags, or extended ones too (16)\n"
	"      completer=none|8|16|reserved  TPH Completer Supported of the function (none)\n"
	"      vectors=N             MSI-X vectors, 0..2048, 0 for no MSI-X (16)\n"
	"      msix-bar=0..5         BAR of the MSI-X table and PBA (4)\n"
	"      msix-size=SIZE        of it, if it is not BAR 0: 4K .. 64K, a power of two (64K)\n"
	"      msix-offset=OFFSET    of the table there (0; 0x6000 in BAR 0)\n"
	"      pba-offset=OFFSET     of the PBA there (after 15/16 of the BAR)\n"
	"      flr=on|off            function level reset (on)\n"
	"      af=on|off             Advanced Features capability, with a reset of its own (off)\n"
	"      aer=on|off            Advanced Error Reporting capability (off)\n"
	"      pasid=on|off          PASID capability (off)\n"
	"      nsr=on|off            No_Soft_Reset: state survives D3hot (on)\n"
	"      memory-bar=2|4        a BAR with memory, for the CPU and for other functions (none)\n"
	"      memory-size=SIZE      of it: 4K .. 16M, a power of two (64K)\n"
	"      p2p=on|off            requests to addresses without a map go by the client (off)\n"
	"      queues=N              receive queues and transmit queues, 0..16 of each (0)\n"
	"      latch=none|ring|entry when a queue takes the tag of an entry: each time (none), when it\n"
	"                            is enabled, or the first time that any uses that entry\n"
	"      packets=FILE          pcap file with the packets that are received (a pattern)\n"
	"      sent=FILE             pcap file to write with those that are transmitted (none)\n"
	"      tph=on|off            TPH Requester capability (on)\n"
	"      tph-at=OFFSET         where in configuration space it is (0x110)\n"
	"      tph-size=BYTES        of the capability, with scratch registers at its end (as needed)\n"
	"      control=VALUE         TPH Requester Control register as the function comes (0)\n"
	"      tags=TAG+TAG...       ST table in the capability as the function comes (0)\n"
	"      preset=power-on|reset what brings these two back (power-on)\n"
	"      vsec=AT:SIZE+...      vendor-specific capabilities with scratch registers, 4 (none)\n"
	"      chain-first=tph|vsec  which of them come first in the chain (tph)\n"
	"      profile=FILE          be like the device that lspci -xxxx printed into FILE (none)\n"
	"      vendor=ID device=ID class=CODE  PCI ids (0x1234, 0x7450, 0x120000)\n"
	"      config=AT:VALUE       a dword of its own at 0xb0..0xfc, read only (none)\n"
	"  -f FILE, --file FILE      JSON: these options as members, and in \"functions\" an array of\n"
	"                            objects of keys\n"
	"  --model FILE              functions named behind it are of the model in this shared object\n"
	"  --log FILE                write events there, one JSON object a line; - is stdout\n"
	"  --log-limit SIZE          most bytes of it, 4096 or more, with K, M or G behind it (none)\n"
	"  --no-log                  write none; counters and trace registers are there all the same\n"
	"  --qmp PATH                QEMU's monitor socket, to read tags out of its MSI-X table\n"
	"  --ready-fd N              write a line to descriptor N once all sockets listen\n"
	"  --describe FILE           print what a function takes of that profile, and exit\n"
	"  --verbose                 log maps and unmaps too\n"
	"  --help                    show this and exit\n"
	"  --version                 show the version and exit\n"
	"\n"
	"SIGTERM, SIGINT and SIGHUP end it; the last line of the log is then a summary.\n";

static int usage_error(const char *format, const char *a, const char *b)
{
	fputs("tph-emu: ", stderr);
	fprintf(stderr, format, a, b);
	fputs("\nTry 'tph-emu --help'.\n", stderr);
	return -1;
}

static bool collide(const struct knobs *a, const struct knobs *b)
{
	return !strcmp(a->name, b->name) || !strcmp(a->socket, b->socket) ||
	       (a->sent && b->sent && !strcmp(a->sent, b->sent));
}

/* Room for another one. Return: it, or NULL if there may be no more. */
static struct knobs *next_function(struct options *options)
{
	struct knobs *functions;

	if (options->count == FUNCTIONS_MAX) {
		usage_error("too many functions, 256 are allowed%s%s", "", "");
		return NULL;
	}
	functions = realloc(options->functions, (options->count + 1) * sizeof(*functions));
	if (!functions)
		abort();
	options->functions = functions;
	return &functions[options->count];
}

static int keep_function(struct options *options, const char *what)
{
	struct knobs *new = &options->functions[options->count];

	for (size_t i = 0; i < options->count; i++) {
		if (!collide(&options->functions[i], new))
			continue;
		usage_error("%s: name, socket and sent must differ from those of function %s", what,
			    options->functions[i].name);
		knobs_free(new);
		return -1;
	}
	options->count++;
	return 0;
}

static int add_function(struct options *options, const char *text)
{
	struct knobs *new = next_function(options);
	char *error, *what;
	int ret = -1;

	if (!new)
		return -1;
	if (asprintf(&what, "--function %s", text) < 0)
		abort();
	if (knobs_parse(new, options->model, text, (unsigned int)options->count, &error)) {
		usage_error("%s: %s", what, error);
		free(error);
	} else {
		ret = keep_function(options, what);
	}
	free(what);
	return ret;
}

static int set_model(struct options *options, const char *path)
{
	const struct tph_emu_model *model;
	char *error;

	model = model_load(path, &error);
	if (!model) {
		usage_error("--model %s: %s", path, error);
		free(error);
		return -1;
	}
	options->model = model;
	return 0;
}

static int set_ready_fd(struct options *options, const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || end == text || *end || fd < 0 || fd > 0xffff || fcntl((int)fd, F_GETFD) < 0)
		return usage_error("--ready-fd %s: not an open file descriptor%s", text, "");
	options->ready_fd = (int)fd;
	return 0;
}

static int set_log_limit(struct options *options, const char *text)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	unsigned long long size;
	char *end;
	unsigned int shift = 0;

	errno = 0;
	size = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		end++;
	}
	if (*text < '0' || *text > '9' || errno || *end || size > UINT64_MAX >> shift ||
	    size << shift < LOG_LIMIT_MIN || size << shift > INT64_MAX)
		return usage_error("--log-limit %s: not a size of 4096 bytes or more, as 64M%s",
				   text, "");
	options->log_limit = size << shift;
	return 0;
}

static int set_qmp(struct options *options, const char *path)
{
	if (!*path || strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return usage_error("--qmp %s: a socket path has 1 to 107 bytes%s", path, "");
	options->qmp = path;
	return 0;
}

/* What a function of the model would become by that profile alone. */
static int describe(const struct options *options, const char *path)
{
	struct knobs knobs;
	char *text, *error;
	int ret;

	if (asprintf(&text, "socket=-,name=%s,profile=%s", options->model->name, path) < 0)
		abort();
	ret = knobs_parse(&knobs, options->model, text, 0, &error);
	free(text);
	if (ret) {
		usage_error("--describe: %s%s", error, "");
		free(error);
		return -1;
	}
	profile_describe(&knobs, stdout);
	knobs_free(&knobs);
	return 1;
}

static int add_from_file(struct options *options, const char *path, size_t number)
{
	const struct configuration_function *function = &options->file.functions[number];
	const struct tph_emu_model *model = options->model;
	struct knobs *new = next_function(options);
	char *error, *what;
	int ret = -1;

	if (!new || (function->model && set_model(options, function->model)))
		return -1;
	if (asprintf(&what, "%s: functions[%zu]", path, number) < 0)
		abort();
	if (knobs_take(new, options->model, function->pairs, function->count,
		       (unsigned int)options->count, &error)) {
		usage_error("%s: %s", what, error);
		free(error);
	} else {
		ret = keep_function(options, what);
	}
	free(what);
	options->model = model;
	return ret;
}

static int set_flag(const char *name, const char *value, bool *flag)
{
	*flag = !strcmp(value, "on");
	if (!*flag && strcmp(value, "off"))
		return usage_error("%s: not true or false: %s", name, value);
	return 0;
}

static int set_from_file(struct options *options, const char *name, const char *value)
{
	if (!strcmp(name, "log"))
		options->log = value;
	else if (!strcmp(name, "log-limit"))
		return set_log_limit(options, value);
	else if (!strcmp(name, "model"))
		return set_model(options, value);
	else if (!strcmp(name, "no-log"))
		return set_flag(name, value, &options->no_log);
	else if (!strcmp(name, "qmp"))
		return set_qmp(options, value);
	else if (!strcmp(name, "verbose"))
		return set_flag(name, value, &options->verbose);
	else
		return usage_error("%s: unknown; known are functions, log, log-limit, model, no-log, "
				   "qmp, verbose%s", name, "");
	return 0;
}

static int read_file(struct options *options, const char *path)
{
	char *error;
	int ret = 0;

	if (options->file.texts)
		return usage_error("-f %s: there is one already%s", path, "");
	if (configuration_read(&options->file, path, &error)) {
		usage_error("-f %s: %s", path, error);
		free(error);
		return -1;
	}
	for (size_t i = 0; i < options->file.option_count && !ret; i++)
		ret = set_from_file(options, options->file.options[i].key,
				    options->file.options[i].value);
	for (size_t i = 0; i < options->file.function_count && !ret; i++)
		ret = add_from_file(options, path, i);
	return ret;
}

int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "file", required_argument, NULL, 'f' },
		{ "function", required_argument, NULL, 'F' },
		{ "log", required_argument, NULL, 'l' },
		{ "log-limit", required_argument, NULL, 'L' },
		{ "model", required_argument, NULL, 'm' },
		{ "no-log", no_argument, NULL, 'n' },
		{ "qmp", required_argument, NULL, 'q' },
		{ "ready-fd", required_argument, NULL, 'r' },
		{ "describe", required_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option, ret = 0;

	*options = (struct options){ .model = &exerciser_model, .ready_fd = -1 };
	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, ":f:", known, NULL)) != -1) {
		switch (option) {
		case 'd':
			ret = describe(options, optarg);
			break;
		case 'f':
			ret = read_file(options, optarg);
			break;
		case 'F':
			ret = add_function(options, optarg);
			break;
		case 'l':
			options->log = optarg;
			break;
		case 'L':
			ret = set_log_limit(options, optarg);
			break;
		case 'm':
			ret = set_model(options, optarg);
			break;
		case 'n':
			options->no_log = true;
			break;
		case 'q':
			ret = set_qmp(options, optarg);
			break;
		case 'r':
			ret = set_ready_fd(options, optarg);
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		case 'V':
			puts("tph-emu " TPH_EMU_VERSION);
			return 1;
		case ':':
			ret = usage_error("%s needs a value%s", argv[optind - 1], "");
			break;
		default:
			ret = usage_error("%s: unknown option%s", argv[optind - 1], "");
			break;
		}
	}
	if (!ret && optind < argc)
		ret = usage_error("%s: unexpected argument%s", argv[optind], "");
	if (!ret && !options->count)
		ret = usage_error("no %s given; there is nothing to %s", "--function", "emulate");
	if (!ret && !options->log && !options->no_log)
		ret = usage_error("no %s given; name a file, or - for stdout; or give %s", "--log",
				  "--no-log");
	if (!ret && options->no_log && (options->log || options->log_limit))
		ret = usage_error("--no-log and %s exclude one another%s",
				  options->log ? "--log" : "--log-limit", "");
	return ret;
}

void options_free(struct options *options)
{
	for (size_t i = 0; i < options->count; i++)
		knobs_free(&options->functions[i]);
	free(options->functions);
	configuration_free(&options->file);
	*options = (struct options){ .ready_fd = -1 };
}
