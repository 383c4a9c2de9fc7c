/* SPDX-License-Identifier: BSD-2-Clause */
/* What may stand in an object of ours? One table each for the service document, a VIP, a backend, a
 * health check (model_fields.c, health.c) and lbd.json (host/config.c). Reading, writing, comparing,
 * copying and freeing walk the table, and so do lbctl's options, the reports and the documentation.
 *
 * A field needs nothing but its row. What depends on several fields stands in the object's `settle`.
 */
#ifndef LB_SCHEMA_H
#define LB_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"
#include "json.h"

#define SCHEMA_FIELDS_MAX 32
#define SCHEMA_LENDER_TEXT 128

struct schema_field;

/* What a field's value is in JSON and in the struct. Functions get the place of the value. */
struct schema_kind {
	const char *name; /* in documentation: "address" */
	enum lb_json_kind json;
	/* NULL: what holds when the field is left out. The paths of errors begin below the field. */
	int (*read)(const struct schema_field *field, const json_t *value, void *out,
		    struct lb_err *err);
	json_t *(*write)(const struct schema_field *field, const void *value);
	/* The value begins with a pointer to memory of its own, one block, or NULL. It is compared
	 * and copied as JSON; one that owns nothing, by its bytes. */
	bool owns;
	/* Read changes the value that is there; in an edit it gets any JSON value for that. */
	bool edits;
};

enum schema_change {
	SCHEMA_CHANGEABLE,
	SCHEMA_FIXED, /* not by editing: it stays, or has a method of its own */
	SCHEMA_KEPT,  /* taken in an edit, but only as it is */
};

/* Two elements of a list of objects, as qsort has it; what they have in common is `what`. */
struct schema_order {
	const char *what;
	int (*compare)(const void *a, const void *b);
};

struct schema_field {
	const char *name;
	const struct schema_kind *kind;
	size_t offset, size; /* SCHEMA_AT */
	size_t part;         /* where the object's pointer to its part is, if it lies there; or 0 */

	bool required;
	bool late; /* read by settle */
	enum schema_change change;
	bool optional; /* not written while it is all zero, or the number that is its default … */
	bool (*told)(const void *object); /* … unless this holds; NULL: it does not */
	uint32_t of;                      /* kinds of object that have it, bits; 0: all */

	int64_t min, max; /* of an integer, or bytes of a text; min: the first word's number */
	int64_t number;   /* the default of an integer */
	const char *text; /* the default of a text; NULL: none */
	const char *const *words; /* ends with NULL; the first is the default */
	int (*check)(const struct schema_field *field, const char *text, struct lb_err *err);
	const struct schema *schema; /* of an object, or of each object of a list */
	/* Of a list; ends with what NULL: none twice, and sorted by the first. */
	const struct schema_order *orders;

	/* For people. The option of lbctl is the name with dashes, without its unit (_s, _ms,
	 * _percent); within an object, after the name of that. */
	const char *help;        /* one line */
	const char *otherwise;   /* the default, where it is no single value */
	const char *placeholder; /* of a text or a list: NAME */
	const char *option;      /* its name, where it is another */
	bool bare;               /* no option */
	bool shown; /* with those that say how packets travel; in lists unless it is the default */
	const char *pattern; /* of a text, for JSON Schema: all that are right, if not only these */
};

/* The place of a member: two members of a row. */
#define SCHEMA_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

struct schema {
	const char *noun;
	/* Ends with name NULL. Where an object is of a kind, 1 or more, the first field is it; an
	 * object of kind 0 is none. */
	const struct schema_field *fields;
	size_t size; /* of the struct */
	/* After reading, or after changing what `given` has: what is left to derive and to refuse. */
	int (*settle)(void *object, const json_t *given, struct lb_err *err);
	/* Some fields may lie in another struct that this one points to: `part` says where the pointer
	 * is, as in those fields. It is in memory of its own, made and freed with the object … */
	size_t part, part_size;
	/* … unless this is somebody else's part: whose, as in "pool web". NULL: its own. Of an object on its
	 * way, whose it will be. */
	const char *(*lender)(const void *object, char out[SCHEMA_LENDER_TEXT]);
};

/* --- kinds --- */
extern const struct schema_kind schema_word;    /* an enum */
extern const struct schema_kind schema_integer; /* uint32_t */
extern const struct schema_kind schema_boolean; /* bool */
extern const struct schema_kind schema_text;    /* char *, owned; NULL: none */
extern const struct schema_kind schema_string;  /* char [], where "" may stand for none */
extern const struct schema_kind schema_ignored; /* a text that is not kept */
extern const struct schema_kind schema_object;  /* a struct, of a kind or none */
extern const struct schema_kind schema_group;   /* an object whose fields lie in the same struct */
extern const struct schema_kind schema_list;    /* of objects: struct schema_items */

/* A list as the struct's own fields have it: `struct lb_backend *backends; size_t backend_count;` */
struct __attribute__((may_alias)) schema_items {
	void *items; /* owned */
	size_t count;
};

/* For kinds that ask more of a value. */
int schema_integer_read(const struct schema_field *field, const json_t *value, void *out,
			struct lb_err *err);
json_t *schema_integer_write(const struct schema_field *field, const void *value);
int schema_length_check(const struct schema_field *field, size_t length, struct lb_err *err);

/* The kinds of object that have the field, into `names`; their number, 0: all. */
size_t schema_kinds(const struct schema *schema, const struct schema_field *field,
		    const char **names);
/* Whether `given` has the field and does not take it back by null. */
bool schema_given(const json_t *given, const char *name);

/* --- objects --- */
/* A new object in *out, or -EINVAL with *out empty. */
int schema_read(const struct schema *schema, const json_t *object, void *out, struct lb_err *err);
/* Changes the fields that `edit` has, all or none. An object within is taken away by null, replaced
 * by one that says its kind, and changed by one that does not, where null stands for a default. */
int schema_edit(const struct schema *schema, const json_t *edit, void *object, struct lb_err *err);
json_t *schema_write(const struct schema *schema, const void *object); /* NULL without memory */
bool schema_equal(const struct schema *schema, const void *a, const void *b);
int schema_copy(const struct schema *schema, const void *from, void *out); /* 0 or -ENOMEM */
/* Frees the part, if it is the object's own; the object points to none. */
void schema_part_clear(const struct schema *schema, void *object);
void schema_clear(const struct schema *schema,
		  void *object); /* frees what it owns, and empties it */

#endif
