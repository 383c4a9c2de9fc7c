/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with this backend? */
#ifndef BACKEND_CHECK_H
#define BACKEND_CHECK_H

#include "config.h"

/* Prints each problem with what helps; returns how many there are. */
unsigned int check_all(const struct backend_config *config);

#endif
