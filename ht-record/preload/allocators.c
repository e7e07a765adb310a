/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of allocators: their functions, and what these do. */
#include "ht-record/preload/allocators.h"

#define ROW(n, o, f, b, s, c, t)                                               \
	{                                                                      \
		.name = n, .op = HT_ENTRY_##o, .family = HT_ENTRY_##f,         \
		.block = b, .size = s, .count = c, .throws = t                 \
	}
#define ALLOC(n, f, s)	    ROW(n, ALLOC, f, 0, s, 0, 0)
#define ARRAY(n, f, c, s)   ROW(n, ALLOC, f, 0, s, c, 0)
#define FREE(n, f)	    ROW(n, FREE, f, 1, 0, 0, 0)
#define REALLOC(n, f, b, s) ROW(n, REALLOC, f, b, s, 0, 0)
#define USABLE(n, f)	    ROW(n, USABLE, f, 1, 0, 0, 0)

/* malloc's family under another name. */
#define MALLOC(f, p)                                                           \
	ALLOC(p "malloc", f, 1), ARRAY(p "calloc", f, 1, 2),                   \
	    REALLOC(p "realloc", f, 1, 2), FREE(p "free", f),                  \
	    ROW(p "posix_memalign", POSIX, f, 1, 3, 0, 0),                     \
	    ALLOC(p "memalign", f, 2), ALLOC(p "aligned_alloc", f, 2),         \
	    ALLOC(p "valloc", f, 1), ALLOC(p "pvalloc", f, 1),                 \
	    ROW(p "reallocarray", REALLOC, f, 1, 3, 2, 0), FREE(p "cfree", f), \
	    FREE(p "free_sized", f), FREE(p "free_aligned_sized", f),          \
	    USABLE(p "malloc_usable_size", f)

/* jemalloc's own. */
#define MALLOCX(f, p)                                                          \
	ALLOC(p "mallocx", f, 1), REALLOC(p "rallocx", f, 1, 2),               \
	    ROW(p "xallocx", XALLOCX, f, 1, 2, 0, 0), FREE(p "dallocx", f),    \
	    FREE(p "sdallocx", f)

#define NOTHROW "RKSt9nothrow_t"
#define ALIGNED "St11align_val_t"

#define NEW(p)                                                                 \
	ROW(p, ALLOC, OPERATORS, 0, 1, 0, 1), ALLOC(p NOTHROW, OPERATORS, 1),  \
	    ROW(p ALIGNED, ALLOC, OPERATORS, 0, 1, 0, 2),                      \
	    ALLOC(p ALIGNED NOTHROW, OPERATORS, 1)
#define DELETE(p)                                                              \
	FREE(p, OPERATORS), FREE(p NOTHROW, OPERATORS),                        \
	    FREE(p "m", OPERATORS), FREE(p ALIGNED, OPERATORS),                \
	    FREE(p ALIGNED NOTHROW, OPERATORS), FREE(p "m" ALIGNED, OPERATORS)

#define TC_NEW(p)                                                              \
	ROW(p, ALLOC, TC, 0, 1, 0, 1), ALLOC(p "_nothrow", TC, 1),             \
	    ROW(p "_aligned", ALLOC, TC, 0, 1, 0, 2),                          \
	    ALLOC(p "_aligned_nothrow", TC, 1)
#define TC_DELETE(p)                                                           \
	FREE(p, TC), FREE(p "_nothrow", TC), FREE(p "_sized", TC),             \
	    FREE(p "_aligned", TC), FREE(p "_aligned_nothrow", TC),            \
	    FREE(p "_sized_aligned", TC)

/* mimalloc's; `h` is 1 where the heap is the first argument. */
#define MI(p, h)                                                               \
	ALLOC(p "malloc", MI, 1 + h), ALLOC(p "zalloc", MI, 1 + h),            \
	    ALLOC(p "malloc_small", MI, 1 + h),                                \
	    ARRAY(p "calloc", MI, 1 + h, 2 + h),                               \
	    ARRAY(p "mallocn", MI, 1 + h, 2 + h),                              \
	    ALLOC(p "malloc_aligned", MI, 1 + h),                              \
	    ALLOC(p "malloc_aligned_at", MI, 1 + h),                           \
	    ALLOC(p "zalloc_aligned", MI, 1 + h),                              \
	    ALLOC(p "zalloc_aligned_at", MI, 1 + h),                           \
	    ARRAY(p "calloc_aligned", MI, 1 + h, 2 + h),                       \
	    ARRAY(p "calloc_aligned_at", MI, 1 + h, 2 + h),                    \
	    MI_REALLOC(p, "", h), MI_REALLOC(p, "_aligned", h),                \
	    MI_REALLOC(p, "_aligned_at", h),                                   \
	    ROW(p "reallocn", REALLOC, MI, 1 + h, 3 + h, 2 + h, 0),            \
	    ROW(p "reallocf", REALLOC_OR_FREE, MI, 1 + h, 2 + h, 0, 0),        \
	    ROW(p "strdup", DUPLICATE, MI, 0, 0, 0, 0),                        \
	    ROW(p "strndup", DUPLICATE, MI, 0, 0, 0, 0)
#define MI_REALLOC(p, a, h)                                                    \
	REALLOC(p "realloc" a, MI, 1 + h, 2 + h),                              \
	    REALLOC(p "rezalloc" a, MI, 1 + h, 2 + h),                         \
	    ROW(p "recalloc" a, REALLOC, MI, 1 + h, 3 + h, 2 + h, 0)

/* The collector's, and the form that its debugging kind has. */
#define GC(n) ALLOC("GC_" n, GC, 1), ALLOC("GC_debug_" n, GC, 1)

const struct ht_entry_point ht_entry_points[] = {
    MALLOC(STANDARD, ""),
    MALLOCX(STANDARD, ""),
    MALLOC(JE, "je_"),
    MALLOCX(JE, "je_"),
    MALLOC(RJEM, "_rjem_"),
    MALLOCX(RJEM, "_rjem_"),

    MALLOC(TC, "tc_"),
    ALLOC("tc_malloc_skip_new_handler", TC, 1),
    TC_NEW("tc_new"),
    TC_NEW("tc_newarray"),
    TC_DELETE("tc_delete"),
    TC_DELETE("tc_deletearray"),
    USABLE("tc_malloc_size", TC),

    MI("mi_", 0),
    MI("mi_heap_", 1),
    FREE("mi_free", MI),
    FREE("mi_free_size", MI),
    FREE("mi_free_aligned", MI),
    FREE("mi_free_size_aligned", MI),
    ALLOC("mi_zalloc_small", MI, 1),
    ROW("mi_posix_memalign", POSIX, MI, 1, 3, 0, 0),
    ALLOC("mi_memalign", MI, 2),
    ALLOC("mi_aligned_alloc", MI, 2),
    ALLOC("mi_valloc", MI, 1),
    ALLOC("mi_pvalloc", MI, 1),
    ROW("mi_reallocarray", REALLOC, MI, 1, 3, 2, 0),
    ROW("mi_expand", EXPAND, MI, 1, 2, 0, 0),
    ROW("mi_new", ALLOC, MI, 0, 1, 0, 1),
    ALLOC("mi_new_nothrow", MI, 1),
    ROW("mi_new_aligned", ALLOC, MI, 0, 1, 0, 2),
    ALLOC("mi_new_aligned_nothrow", MI, 1),
    ARRAY("mi_new_n", MI, 1, 2),
    ALLOC("mi_heap_alloc_new", MI, 2),
    ARRAY("mi_heap_alloc_new_n", MI, 2, 3),
    REALLOC("mi_new_realloc", MI, 1, 2),
    ROW("mi_new_reallocn", REALLOC, MI, 1, 3, 2, 0),
    USABLE("mi_usable_size", MI),

    GC("malloc"),
    GC("malloc_atomic"),
    GC("malloc_uncollectable"),
    GC("malloc_atomic_uncollectable"),
    GC("malloc_stubborn"),
    GC("malloc_ignore_off_page"),
    GC("malloc_atomic_ignore_off_page"),
    GC("gcj_malloc"),
    ALLOC("GC_gcj_malloc_ignore_off_page", GC, 1),
    ALLOC("GC_malloc_kind", GC, 1),
    ALLOC("GC_malloc_kind_global", GC, 1),
    ALLOC("GC_generic_malloc", GC, 1),
    ALLOC("GC_generic_malloc_ignore_off_page", GC, 1),
    ALLOC("GC_generic_malloc_uncollectable", GC, 1),
    ALLOC("GC_generic_or_special_malloc", GC, 1),
    ALLOC("GC_malloc_explicitly_typed", GC, 1),
    ALLOC("GC_malloc_explicitly_typed_ignore_off_page", GC, 1),
    ARRAY("GC_calloc_explicitly_typed", GC, 1, 2),
    ALLOC("GC_finalized_malloc", GC, 1),
    ALLOC("GC_memalign", GC, 2),
    ROW("GC_posix_memalign", POSIX, GC, 1, 3, 0, 0),
    REALLOC("GC_realloc", GC, 1, 2),
    REALLOC("GC_debug_realloc", GC, 1, 2),
    FREE("GC_free", GC),
    FREE("GC_debug_free", GC),
    ROW("GC_strdup", DUPLICATE, GC, 0, 0, 0, 0),
    ROW("GC_debug_strdup", DUPLICATE, GC, 0, 0, 0, 0),
    ROW("GC_strndup", DUPLICATE, GC, 0, 0, 0, 0),
    ROW("GC_debug_strndup", DUPLICATE, GC, 0, 0, 0, 0),

    NEW("_Znwm"),
    NEW("_Znam"),
    DELETE("_ZdlPv"),
    DELETE("_ZdaPv"),
    {.name = NULL},
};

#define POINTS (sizeof ht_entry_points / sizeof ht_entry_points[0] - 1)
_Static_assert(POINTS <= HT_POINTS_MAX, "there is room for all");

const unsigned ht_entry_point_count = POINTS;

/* The same as far as one patch says; 0: nothing. */
static uint64_t
origin_by(const struct ht_patch *p, uint64_t pc)
{
	unsigned n = p->count;

	if (!p->at ||
	    pc - p->moved + HT_STUB_SIZE >= HT_STUB_SIZE + HT_MOVED_MAX)
		return 0;
	if (pc < p->moved)
		return p->at;
	if (pc >= p->moved + p->back)
		return p->at + p->taken;
	while (n > 1 && p->moved + p->to[n - 1] > pc)
		n--;
	return p->at + p->from[n - 1];
}

uint64_t
ht_patches_origin(const struct ht_patch *patch, uint64_t pc)
{
	uint64_t at = 0;

	for (unsigned i = 0; !at && i < HT_PATCHES_MAX; i++)
		at = origin_by(&patch[i], pc);
	return at ? at : pc;
}

#if defined(__x86_64__)
/* The arguments into an array, which the hook passes on; see the header. */
__asm__(".text\n"
	".hidden ht_entry_hook\n"
	".globl ht_entry_hook\n"
	".type ht_entry_hook, @function\n"
	"ht_entry_hook:\n\t"
	".cfi_startproc\n\t"
	"push %rbp\n\t"
	".cfi_def_cfa_offset 16\n\t"
	".cfi_offset %rbp, -16\n\t"
	"mov %rsp, %rbp\n\t"
	".cfi_def_cfa_register %rbp\n\t"
	"push $0\n\t"
	"push $0\n\t"
	"push %r9\n\t"
	"push %r8\n\t"
	"push %rcx\n\t"
	"push %rdx\n\t"
	"push %rsi\n\t"
	"push %rdi\n\t"
	"mov %rsp, %rdi\n\t"
	"mov %r11, %rsi\n\t"
	"mov %rbp, %rdx\n\t"
	"call ht_entry_call\n\t"
	"mov 48(%rsp), %r11\n\t"
	"test %r11, %r11\n\t"
	"jnz 1f\n\t"
	"leave\n\t"
	".cfi_remember_state\n\t"
	".cfi_def_cfa %rsp, 8\n\t"
	".cfi_restore %rbp\n\t"
	"ret\n"
	"1:\n\t"
	".cfi_restore_state\n\t"
	"pop %rdi\n\t"
	"pop %rsi\n\t"
	"pop %rdx\n\t"
	"pop %rcx\n\t"
	"pop %r8\n\t"
	"pop %r9\n\t"
	"leave\n\t"
	".cfi_def_cfa %rsp, 8\n\t"
	".cfi_restore %rbp\n\t"
	"jmp *%r11\n\t"
	".cfi_endproc\n\t"
	".size ht_entry_hook, .-ht_entry_hook\n");
#endif
