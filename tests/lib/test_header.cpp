// SPDX-License-Identifier: MIT
// The headers in C++: they compile without a warning, and what they declare is C's.
#include <tph.h>
#include <tph_group.h>

#include <cstdio>
#include <cstring>

int main()
{
	struct tph_device *device = nullptr;
	struct tph_state state = {};
	int error = tph_open("no address", &device);

	struct tph_group *group = nullptr;
	int group_error = tph_group_read("/sys", "no address", &group);

	std::puts("1..3");
	std::printf("%sok 1 - linked_as_c\n", error < 0 && !device ? "" : "not ");
	std::printf("%sok 2 - version_of_the_library\n",
		    std::strcmp(tph_version(), TPH_VERSION) || state.width ? "not " : "");
	std::printf("%sok 3 - group_linked_as_c\n", group_error < 0 && !group ? "" : "not ");
	return 0;
}
