// SPDX-License-Identifier: MIT
#include "scenarios.h"
void steering(void)
{
}
