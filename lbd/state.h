/* SPDX-License-Identifier: BSD-2-Clause */
/* What lbd keeps on disk, in its state directory: the service document and, where none is
 * configured, the hash seed. Both are written durably: temporary file, fsync, rename, fsync of the
 * folder. */
#ifndef LB_STATE_H
#define LB_STATE_H

#include "api/model.h"

#define LB_STATE_FORMAT 1 /* of service.json: {"format": 1, "document": SERVICE} */

/* 0 and the document kept (an empty one where there is no file). A file that cannot be read, is
 * damaged or is of a newer format is an error that names it, and stays as it is. */
int state_load_service(const char *state_dir, struct lb_service **out, struct lb_err *err);
int state_save_service(const char *state_dir, const struct lb_service *service, struct lb_err *err);

/* The seed kept, or a new random one that is kept from now on. */
int state_load_seed(const char *state_dir, uint64_t seed[2], struct lb_err *err);

#endif
