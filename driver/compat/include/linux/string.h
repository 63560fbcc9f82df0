/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/string.h>

#ifndef TPH_COMPAT_STRING_H
#define TPH_COMPAT_STRING_H

#include <tph_kernel.h>

#ifndef TPH_KERNEL_ARRAY_USER
/* Macros, for this header is read before those that it would need. */
#define tph_array_user(copy, from, n, size)						\
({											\
	size_t tph_bytes;								\
											\
	check_mul_overflow((size_t)(n), (size_t)(size), &tph_bytes) ?			\
		ERR_PTR(-EOVERFLOW) : copy(from, tph_bytes);				\
})
#define memdup_array_user(from, n, size)	tph_array_user(memdup_user, from, n, size)
#define vmemdup_array_user(from, n, size)	tph_array_user(vmemdup_user, from, n, size)
#endif

#endif
