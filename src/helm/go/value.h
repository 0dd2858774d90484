/* Values with Go types: what templates compute with.
 *
 * A template sees its data as Go's reflect package shows it: text/template's decisions, its error messages, %v and %T
 * all depend on Go types. `struct value` is a small tagged value, passed by value; what it points to (bytes, items,
 * maps, objects) lives in the arena of the run (struct go_run) and is never freed on its own.
 *
 * nil: `(struct value){0}` (no type) is the untyped nil, reflect's invalid value. Functions get it for a nil interface
 * argument. Typed nils have a type and a null pointer: a nil slice has `items == NULL`, while an empty one that is not
 * nil has items that point anywhere else (value_list gives that; YAML and JSON tell them apart: null and []).
 *
 * Slices share their items as Go's do, but have no capacity: who appends copies. Maps are references and change in
 * place. Strings are bytes with a length; a NUL behind them is NOT promised (value_cstr gives one).
 *
 * Not thread-safe: a run belongs to one thread. Types and function tables are constant and shared. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "json/json.h"

/* reflect.Kind, in its order (unsafe pointers and channels do not occur). */
enum go_kind {
    GO_INVALID, GO_BOOL, GO_INT, GO_INT8, GO_INT16, GO_INT32, GO_INT64, GO_UINT, GO_UINT8, GO_UINT16, GO_UINT32, GO_UINT64,
    GO_UINTPTR, GO_FLOAT32, GO_FLOAT64, GO_COMPLEX64, GO_COMPLEX128, GO_ARRAY, GO_FUNC, GO_INTERFACE, GO_MAP, GO_POINTER,
    GO_SLICE, GO_STRING, GO_STRUCT,
};

struct value {
    const struct go_type *type; /* the concrete type, never an interface; NULL: nil */
    uint32_t len;               /* GO_STRING and []byte: bytes; GO_SLICE, GO_ARRAY: items */
    bool boxed;                 /* the executor's: this was read out of a variable of interface type. Functions never see it set. */
    union {
        bool b;
        int64_t i;                    /* all signed integers */
        uint64_t u;                   /* all unsigned integers */
        double f;                     /* both floats */
        const double *complex;        /* two: real and imaginary part */
        const char *s;                /* strings, and []byte (see go_is_bytes) */
        struct value *items;          /* other slices and arrays; structs: one per field of the type, in its order */
        struct value_map *map;        /* NULL: a nil map, which reads as an empty one */
        const struct go_func *func;   /* NULL: nil */
        void *ptr;                    /* pointers, and structs that have methods instead of fields; NULL: nil */
    };
};

/* A pointer to a struct with fields is a value of kind GO_POINTER whose `items` are those of the struct itself. */

struct go_run;

/* A function that templates call, and a method (its receiver is args[0] and its first parameter).
 * The executor has checked count and types: args[i] has params[i]'s type (or one assignable to it: a map type of
 * another name), a parameter of interface type gets any value or nil. Arguments that live in containers must not be
 * changed in place, except where Go's function does so.
 * Result: *out, of type `result` (or, for an interface, whatever it is; nil allowed). Errors carry the message of Go's
 * function alone: the executor puts "error calling NAME: " before it. A Go panic is an error with the panic's text. */
typedef struct error *(*go_call)(struct go_run *run, const struct value *args, size_t count, struct value *out);

enum { GO_MAX_PARAMS = 8 };
struct go_func {
    const char *name; /* as templates say it */
    go_call call;
    const struct go_type *result;
    bool variadic;                              /* the last parameter may come any number of times */
    const struct go_type *params[GO_MAX_PARAMS]; /* up to the first NULL; the last of a variadic one is the element's type */
};

/* Rows of function tables; a table ends with GO_FUNCS_END.
 *   GO_FUNC("trunc", sprig_trunc, &go_string, &go_int, &go_string)       func(int, string) string
 *   GO_VARIADIC("list", sprig_list, &go_list, &go_any)                   func(...interface {}) []interface {} */
#define GO_FUNC(name_, call_, result_, ...) {.name = (name_), .call = (call_), .result = (result_), .params = {__VA_ARGS__}}
#define GO_VARIADIC(name_, call_, result_, ...) \
    {.name = (name_), .call = (call_), .result = (result_), .variadic = true, .params = {__VA_ARGS__}}
#define GO_FUNCS_END {.name = NULL}

struct go_field {
    const char *name;
    const struct go_type *type;
    const char *json;  /* name in JSON and YAML; NULL: the field's own; "-": left out */
    bool omit_empty;   /* ,omitempty */
    bool embedded;     /* fields and methods of `type` are this struct's too; JSON shows them inline */
};

/* Types are compared by address: one constant each. */
struct go_type {
    enum go_kind kind;
    const char *name;                /* as %T prints it: "map[string]interface {}" */
    const struct go_type *elem, *key; /* of slices, arrays, maps, pointers */
    const struct go_type *underlying; /* of defined types ("type Values map[string]interface{}"); NULL: none, or unnamed */
    const struct go_field *fields;   /* of structs; the last has no name */
    const struct go_func *methods;   /* callable on values of this type; the last has no name */
    /* String() or Error(), which fmt prints instead of the value; NULL: the type has none */
    void (*string)(const struct value *v, struct buf *out);
    /* MarshalJSON() or MarshalText(); NULL: the type has none */
    struct error *(*marshal_json)(struct arena *a, const struct value *v, const struct json **out);
    bool is_error;                   /* `string` is Error() */
    bool string_of_pointer;          /* only *T has String(): templates print it where Go could take the address, printf does not */
};

extern const struct go_type go_bool, go_int, go_int8, go_int16, go_int32, go_int64, go_uint, go_uint8, go_uint16, go_uint32, go_uint64,
    go_uintptr, go_float32, go_float64, go_complex128, go_string;
extern const struct go_type go_any;          /* interface {} */
extern const struct go_type go_error;        /* error: the interface, for parameters */
extern const struct go_type go_error_string; /* *errors.errorString: an error's value, its text in `s` */
extern const struct go_type go_reflect;      /* reflect.Value as a parameter: anything, boxed or nil, unchecked */
extern const struct go_type go_list;         /* []interface {} */
extern const struct go_type go_strings;      /* []string */
extern const struct go_type go_ints;         /* []int */
extern const struct go_type go_bytes;        /* []uint8 */
extern const struct go_type go_map;          /* map[string]interface {} */
extern const struct go_type go_map_string;   /* map[string]string */
extern const struct go_type go_maps;         /* []map[string]interface {} */
extern const struct go_type go_values;       /* chartutil.Values, a map[string]interface {} */
extern const struct go_type go_number;       /* json.Number, a string */

/* ---- what a run owns, and its limits ---- */

/* One render: memory, limits, and whose it is. A zeroed one with an arena has no limits. */
struct go_run {
    struct arena *arena;         /* all results go here */
    size_t max_bytes;            /* of the arena, 0: none */
    uint64_t max_steps, steps;   /* nodes executed and iterations made by functions, 0: none */
    struct template_set *templates; /* those that `template`, include and tpl see now (template/template.h) */
    void *owner;                 /* the engine's */
};

/* Asks for `bytes` more, before allocating what arguments multiply (repeat, until, padding): an error instead of
 * exhausted memory. Work that is linear in its arguments' size need not ask: the executor looks after each call. */
MUST_CHECK struct error *go_reserve(struct go_run *run, uint64_t bytes);
/* Counts `n` steps: for loops that arguments control. */
MUST_CHECK struct error *go_steps(struct go_run *run, uint64_t n);

/* ---- making values ---- */

static inline struct value value_nil(void) { return (struct value){0}; }
static inline struct value value_bool(bool b) { return (struct value){.type = &go_bool, .b = b}; }
static inline struct value value_int(int64_t i) { return (struct value){.type = &go_int, .i = i}; }
static inline struct value value_int64(int64_t i) { return (struct value){.type = &go_int64, .i = i}; }
static inline struct value value_float(double f) { return (struct value){.type = &go_float64, .f = f}; }
/* The bytes are not copied. */
static inline struct value value_str(const char *s, size_t n) { return (struct value){.type = &go_string, .len = (uint32_t)n, .s = s}; }
static inline struct value value_literal(const char *s) { return value_str(s, strlen(s)); }
static inline struct value value_byte_slice(const char *s, size_t n) { return (struct value){.type = &go_bytes, .len = (uint32_t)n, .s = s}; }
struct value value_strdup(struct arena *a, const char *s, size_t n);
struct value value_strf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
/* The contents of `b`, copied; `b` is freed. */
struct value value_take_buf(struct arena *a, struct buf *b);
/* A new slice of `n` nil items to fill, not nil itself. `type`: a slice type, e.g. &go_list. Not for []byte. */
struct value value_slice(struct arena *a, const struct go_type *type, size_t n);
struct value value_map_new(struct arena *a, const struct go_type *type);
/* The zero value of a type: 0, "", nil… */
struct value value_zero(const struct go_type *type);
/* The same value under another type of the same kind (int64 as time.Duration, a map as chartutil.Values). */
static inline struct value value_as(struct value v, const struct go_type *type) { v.type = type; return v; }

/* ---- asking ---- */

static inline enum go_kind value_kind(struct value v) { return v.type ? v.type->kind : GO_INVALID; }
static inline bool go_is_int(enum go_kind k) { return k >= GO_INT && k <= GO_INT64; }
static inline bool go_is_uint(enum go_kind k) { return k >= GO_UINT && k <= GO_UINTPTR; }
static inline bool go_is_float(enum go_kind k) { return k == GO_FLOAT32 || k == GO_FLOAT64; }
static inline bool go_is_bytes(const struct go_type *t) { return t->kind == GO_SLICE && t->elem->kind == GO_UINT8; }
static inline bool value_is_string(struct value v) { return value_kind(v) == GO_STRING; }
bool value_is_nil(struct value v); /* untyped nil, or a nil map, slice, pointer, function */
bool value_true(struct value v);   /* text/template's truth: not the zero of its type, not empty */
bool value_str_eq(struct value v, const char *s); /* a string with these bytes */
const char *value_cstr(struct arena *a, struct value v); /* the bytes of a string or []byte with a NUL behind them */
size_t value_len(struct value v);  /* of strings, slices, arrays, maps; 0 for others */
/* Item i of a slice, array or []byte (i < len), with `boxed` unset. */
struct value value_at(struct value slice, size_t i);
/* reflect.DeepEqual. */
bool value_deep_equal(struct value a, struct value b);
const char *go_type_name(struct value v); /* "<nil>" for nil, as %T prints */
/* May a value of type `from` be given to a variable of type `to` without conversion (reflect's AssignableTo)? */
bool go_assignable(const struct go_type *from, const struct go_type *to);
/* A method of a value, of what a pointer points to or of an embedded field, by name. *receiver: what it is called on. */
const struct go_func *value_method(struct value v, const char *name, size_t len, struct value *receiver);
/* A field's value of a struct, or of a pointer to one that is not nil, by name; embedded ones too. false: no such field. */
bool value_field(struct value v, const char *name, size_t len, struct value *out);

/* ---- maps: keys are strings; reading takes nil maps ---- */

struct value_entry {
    const char *key; /* lives in the arena; no NUL promised */
    uint32_t key_len;
    uint32_t hash;
    struct value value;
};
struct value_map {
    struct arena *arena;
    struct value_entry *entries; /* see value_map_sorted for an order that is promised */
    uint32_t count, cap;
    uint32_t *slots;             /* hash index, for more than a few entries */
    uint32_t slot_mask;
    bool sorted;
};

/* NULL if absent. The pointer holds until the map changes. */
struct value *value_map_get(const struct value_map *m, const char *key, size_t len);
struct value *value_map_get_hashed(const struct value_map *m, const char *key, size_t len, uint32_t hash);
uint32_t value_hash(const char *key, size_t len);
/* The key is not copied: it must live as long as the map's arena. Boxes are taken off the value. */
void value_map_set(struct value_map *m, const char *key, size_t len, struct value v);
void value_map_set_hashed(struct value_map *m, const char *key, size_t len, uint32_t hash, struct value v);
/* A new map of v's type with the same entries; `v` may be nil. */
struct value value_map_copy(struct arena *a, struct value v);
bool value_map_delete(struct value_map *m, const char *key, size_t len); /* false: was not there */
size_t value_map_count(const struct value_map *m);
/* The entries sorted by key, as Go prints and ranges over maps. They hold until the map changes; who changes it while
 * walking copies them first. The map may be NULL (then *count is 0). */
struct value_entry *value_map_sorted(struct value_map *m, size_t *count);

#define VALUE_EACH(e, map_value)                                                                                          \
    for (size_t e##_n_ = 0, e##_once_ = 1; e##_once_; e##_once_ = 0)                                                      \
        for (struct value_entry *e = value_map_sorted((map_value).map, &e##_n_), *e##_end_ = e + e##_n_; e != e##_end_; e++)

/* ---- JSON trees ---- */

enum value_numbers {
    VALUE_FLOATS,  /* every number is a float64, as encoding/json decodes into interface{} */
    VALUE_NUMBERS, /* json.Number, as after Decoder.UseNumber (a chart's values.yaml) */
};
/* Objects become map[string]interface {}, arrays []interface {}. Strings and keys are shared with `json`, which must
 * live as long as the arena. */
struct value value_from_json(struct arena *a, const struct json *json, enum value_numbers numbers);
/* As json.Marshal sees the value: sorted keys, fields by their JSON names, []byte in base64, json.Number as number
 * (integers that fit exact, others as doubles). Errors: unsupported types, in encoding/json's words; cycles. */
MUST_CHECK struct error *value_to_json(struct arena *a, struct value v, const struct json **out);
