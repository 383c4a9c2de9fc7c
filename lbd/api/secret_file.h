/* SPDX-License-Identifier: BSD-2-Clause */
/* How is a file read that its owner alone may read? */
#ifndef LB_SECRET_FILE_H
#define LB_SECRET_FILE_H

#include <stddef.h>
#include "err.h"

/* What stands in it, with a NUL behind, as far as there is room. 0; or with *err -ENOENT, -EPERM (a link, no
 * plain file, not root's nor one's own, or others may read it), -EILSEQ (it has a NUL itself) or another error. */
int secret_file_read(const char *path, char *text, size_t size, struct lb_err *err);

/* The hint to a file that is not there. `copies`: who needs one; what to do follows. -EINVAL. */
int secret_file_hint(const char *path, const char *copies, struct lb_err *err);

#endif
