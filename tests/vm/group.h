/* SPDX-License-Identifier: MIT */
/* A device as programs open it that know nothing of iommufd: by its group, in a container. */
#ifndef GROUP_H
#define GROUP_H

#include "guest.h"

#define CONTAINER_TYPE1		"/dev/vfio/vfio"
#define CONTAINER_IOMMUFD	"/dev/iommu"	/* iommufd as it stands in for a container */

struct group_guest {
	int container, group;
	struct guest g;
};

void group_open(struct group_guest *device, const char *bdf, const char *container);
void group_close(struct group_guest *device);

#endif /* GROUP_H */
