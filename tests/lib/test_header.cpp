// SPDX-License-Identifier: MIT
// tph.h in C++: it compiles without a warning, and what it declares is C's.
#include <tph.h>

#include <cstdio>
#include <cstring>

int main()
{
	struct tph_device *device = nullptr;
	struct tph_state state = {};
	int error = tph_open("no address", &device);

	std::puts("1..2");
	std::printf("%sok 1 - linked_as_c\n", error < 0 && !device ? "" : "not ");
	std::printf("%sok 2 - version_of_the_library\n",
		    std::strcmp(tph_version(), TPH_VERSION) || state.width ? "not " : "");
	return 0;
}
