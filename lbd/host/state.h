/* SPDX-License-Identifier: BSD-2-Clause */
/* What lbd keeps on disk, in its state directory: the service document with a journal of its changes,
 * and, where none is configured, the hash seed. All are written durably (durable.h). */
#ifndef LB_STATE_H
#define LB_STATE_H

#include <stdbool.h>

#include <sys/types.h>
#include <time.h>

#include "../api/model.h"
#include "journal.h"

/* Of service.json: {"format": 2, "checksum": "1b2c3d4e", "document": SERVICE, "revert":
 * {"document": SERVICE, "at": N, "boot": ID, "boot_at": N, "for": N}}. The checksum is the CRC-32 of all
 * other fields, compact and with sorted keys. Format 1 has none and is read, too: who edits the
 * file by hand sets the format to 1 and removes the checksum. Format 3 is format 2 with documents
 * that have pools, which an lbd from before does not know; without pools that one can read it.
 *
 * Format 4 has "journal": N: what has changed since stands in service.journal.N (journal.h). An lbd
 * from before refuses it. A running lbd writes it where a document is so large that a change would take
 * long otherwise; one that ends writes one of the other formats again. */
#define LB_STATE_FORMAT 2
#define LB_STATE_FORMAT_POOLS 3
#define LB_STATE_FORMAT_JOURNAL 4
#define LB_STATE_FORMAT_UNCHECKED 1

#define STATE_BOOT_ID 40

/* What to go back to unless the document is confirmed before. */
struct state_revert {
	struct lb_service *document; /* NULL: nothing waits to be confirmed */
	int64_t at_s;                /* CLOCK_REALTIME */
	/* The same moment by CLOCK_BOOTTIME, which nobody can set, in this boot of the machine; "":
	 * not known. */
	int64_t boot_at_s;
	char boot[STATE_BOOT_ID];
	int64_t for_s; /* what was asked for: nobody waits longer; 0: not known */
};

/* What to save. `before`: what the disk has, so that what differs is enough; NULL: all is written. */
struct state_save {
	const struct lb_service *before, *document;
	const struct state_revert *revert; /* may be NULL */
	bool last;                         /* lbd ends */
};

/* A file, as it was when lbd had to do with it. */
struct state_file {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

/* What is known to be on disk. All 0: nothing, and the next save writes all. */
struct state_kept {
	struct state_file file; /* service.json */
	unsigned int journal;   /* its number; 0: there is none */
	struct journal_end end;
};

/* Keeps every other lbd away from the folder, which is made when missing, for as long as *fd is
 * open. */
int state_lock(const char *state_dir, int *fd, struct lb_err *err);

/* 0 and the document kept (an empty one where there is no file), with what it reverts to; both are
 * the caller's; what a save that was cut off has left goes. A file that cannot be read, is damaged
 * or is of a newer format is an error that names it, and stays as it is. */
int state_load_service(const char *state_dir, struct state_kept *kept, struct lb_service **out,
		       struct state_revert *revert, struct lb_err *err);
/* The same, but what a save has left stays: for looking, while another lbd may be writing. */
int state_read_service(const char *state_dir, struct lb_service **out, struct state_revert *revert,
		       struct lb_err *err);
/* Whether there is a file. */
bool state_has_service(const char *state_dir);
int state_save_service(const char *state_dir, struct state_kept *kept,
		       const struct state_save *save, struct lb_err *err);
/* Whether the journal has become so long that the whole document should be written. */
bool state_is_long(const struct state_kept *kept);

/* Those that the live service needs, as functions that a test can put others in the place of. */
struct disk {
	int (*load)(const char *state_dir, struct state_kept *kept, struct lb_service **out,
		    struct state_revert *revert, struct lb_err *err);
	int (*save)(const char *state_dir, struct state_kept *kept, const struct state_save *save,
		    struct lb_err *err);
	bool (*has)(const char *state_dir);
	/* Writes the seed where there is none: somebody has put another folder in the place of the
	 * one that was there at start. */
	int (*keep_seed)(const char *state_dir, const uint64_t seed[2], struct lb_err *err);
};
extern const struct disk state_disk;

/* The seed kept; -ENOENT, and an error to show, when there is none. */
int state_read_seed(const char *state_dir, uint64_t seed[2], struct lb_err *err);
int state_save_seed(const char *state_dir, const uint64_t seed[2], struct lb_err *err);
/* A random one, which is kept from now on. */
int state_new_seed(const char *state_dir, uint64_t seed[2], struct lb_err *err);

#endif
