/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the event stream: one function for each record of ht-events(5).
 * Level 3. Errors are sticky in the ht_out. Strings are made safe here (LF,
 * NUL and backslash escaped, names and command lines cut at 64 KiB); paths
 * and names are bytes of any kind.
 *
 * The order inside a trace is the caller's duty: ids are ordinals, so the
 * n-th ht_evwrite_stack defines stack n (from 1), the n-th
 * ht_evwrite_class class n - 1.
 */
#ifndef HT_EVWRITE_H
#define HT_EVWRITE_H

#include <endian.h>
#include <string.h>

#include "libht/base.h"
#include "libht/event.h"
#include "libht/out.h"

#define HT_TEXT_MAX ((size_t)64 << 10) /* bytes of a name or command line */

/* Lower case hexadecimal, without a branch for what fits in 32 bits; may
 * touch 16 bytes at `p`. Returns the byte after the last digit. */
static inline char *
ht_evwrite_hex(char *p, uint64_t v)
{
	uint64_t x;
	unsigned digits;

	if (ht_unlikely(v >> 32))
		return ht_hex_put(p, v);
	digits = (35 - (unsigned)__builtin_clz((uint32_t)v | 1)) >> 2;
	x = (uint32_t)v << (32 - 4 * digits);
	x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
	x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x | x << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	x += UINT64_C(0x3030303030303030) +
	     (((x + UINT64_C(0x0606060606060606)) >> 4 &
		  UINT64_C(0x0101010101010101)) *
		 0x27);
	x = htobe64(x);
	memcpy(p, &x, 8);
	return p + digits;
}

/* A letter or two, then up to four numbers; the common shape of a line. */
static inline void
ht_evwrite_line(struct ht_out *out, const char *kind, unsigned n, uint64_t a,
    uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t v[4] = {a, b, c, d};
	char *p;
	unsigned i;

	ht_out_need(out, 96);
	p = out->p;
	while (*kind)
		*p++ = *kind++;
	for (i = 0; i < n; i++) {
		*p++ = ' ';
		p = ht_evwrite_hex(p, v[i]);
	}
	*p++ = '\n';
	out->p = p;
}

/* `+ <class> [@<address>]`; address 0: left out. */
static inline void
ht_evwrite_alloc(struct ht_out *out, uint32_t cls, uint64_t address)
{
	char *p;

	ht_out_need(out, 64);
	p = out->p;
	p[0] = '+';
	p[1] = ' ';
	p = ht_evwrite_hex(p + 2, cls);
	if (ht_unlikely(address)) {
		p[0] = ' ';
		p[1] = '@';
		p = ht_evwrite_hex(p + 2, address);
	}
	*p++ = '\n';
	out->p = p;
}

#define HT_EVWRITE_FREE_MAX 96 /* bytes of such a line, room to write it */

/* How the temporary flag of a free differs from heaptrack's rule (the event
 * before is `+` of the same class). */
enum ht_temp { HT_TEMP_RULE = 0, HT_TEMP_NO = 'x', HT_TEMP_YES = 't' };

/* The `[o<age>] [w<thread>] [x or t]` of a free: each 0 is left out. Returns
 * the byte after. */
static inline char *
ht_evwrite_how_freed(
    char *p, uint64_t age_ms, uint32_t by_thread, enum ht_temp temp)
{
	if (age_ms) {
		p[0] = ' ';
		p[1] = 'o';
		p = ht_evwrite_hex(p + 2, age_ms);
	}
	if (ht_unlikely(by_thread)) {
		p[0] = ' ';
		p[1] = 'w';
		p = ht_evwrite_hex(p + 2, by_thread);
	}
	if (ht_unlikely(temp)) {
		p[0] = ' ';
		p[1] = (char)temp;
		p += 2;
	}
	return p;
}

/* `- <class> [o<age>] [w<thread>] [x or t] [@<address>]` */
static inline void
ht_evwrite_free(struct ht_out *out, uint32_t cls, uint64_t age_ms,
    uint32_t by_thread, enum ht_temp temp, uint64_t address)
{
	char *p;

	ht_out_need(out, HT_EVWRITE_FREE_MAX);
	p = out->p;
	p[0] = '-';
	p[1] = ' ';
	p = ht_evwrite_hex(p + 2, cls);
	p = ht_evwrite_how_freed(p, age_ms, by_thread, temp);
	if (ht_unlikely(address)) {
		p[0] = ' ';
		p[1] = '@';
		p = ht_evwrite_hex(p + 2, address);
	}
	*p++ = '\n';
	out->p = p;
}

/* `#F <class> [@<address>]`: the last free of that class is undone: its
 * realloc failed. */
static inline void
ht_evwrite_unfree(struct ht_out *out, uint32_t cls, uint64_t address)
{
	ht_evwrite_line(out, "#F", 1, cls, 0, 0, 0);
	if (!address)
		return;
	out->p--;
	ht_evwrite_line(out, " @", 0, 0, 0, 0, 0);
	out->p--;
	ht_out_hex(out, address);
	ht_out_char(out, '\n');
}

/* `#N <class> [o<ms>] [@<address>]`, or `#G …` */
static inline void
ht_evwrite_part(struct ht_out *out, bool comes, uint32_t cls, uint64_t age,
    uint64_t address)
{
	ht_evwrite_line(out, comes ? "#N" : "#G", 1, cls, 0, 0, 0);
	out->p--;
	if (age) {
		ht_evwrite_line(out, " o", 0, 0, 0, 0, 0);
		out->p--;
		ht_out_hex(out, age);
	}
	if (address) {
		ht_out_write(out, " @", 2);
		ht_out_hex(out, address);
	}
	ht_out_char(out, '\n');
}

/* `c <ms since the start>` */
static inline void
ht_evwrite_time(struct ht_out *out, uint64_t ms)
{
	ht_evwrite_line(out, "c", 1, ms, 0, 0, 0);
}

/* `R <pages>` */
static inline void
ht_evwrite_rss(struct ht_out *out, uint64_t pages)
{
	ht_evwrite_line(out, "R", 1, pages, 0, 0, 0);
}

/* `R <pages> m<pages>`: of these so many are of maps that are recorded */
static inline void
ht_evwrite_rss_maps(struct ht_out *out, uint64_t pages, uint64_t maps)
{
	ht_evwrite_rss(out, pages);
	out->p--;
	ht_out_write(out, " m", 2);
	ht_out_hex(out, maps);
	ht_out_char(out, '\n');
}

/* `a <size> <stack> [<thread>] [u<usable>]`; thread 1 and usable 0 are left
 * out. */
static inline void
ht_evwrite_class(struct ht_out *out, uint64_t size, uint32_t stack,
    uint32_t thread, uint64_t usable)
{
	ht_evwrite_line(out, "a", thread > 1 ? 3 : 2, size, stack, thread, 0);
	if (usable) {
		out->p[-1] = ' ';
		ht_out_char(out, 'u');
		ht_out_hex(out, usable);
		ht_out_char(out, '\n');
	}
}

/* `t <ip or frame> <parent stack>`: an address in a trace that is not
 * symbolised, the id of an `i` line in one that is. */
static inline void
ht_evwrite_stack(struct ht_out *out, uint64_t ip, uint32_t parent)
{
	ht_evwrite_line(out, "t", 2, ip, parent, 0, 0);
}

/* `s <string>` */
static inline void
ht_evwrite_string(struct ht_out *out, const char *text, size_t len)
{
	ht_out_write(out, "s ", 2);
	ht_out_sized(out, text, len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

/* `i <ip> <module> [<function> [<file> <line> {…}…]]`: the innermost
 * function first. */
static inline void
ht_evwrite_frame(struct ht_out *out, uint64_t ip, uint32_t module,
    const struct ht_frame_fn *fn, size_t n)
{
	size_t i;

	ht_evwrite_line(out, "i", 2, ip, module, 0, 0);
	if (n == 0)
		return;
	out->p--;
	if (n == 1 && fn[0].file == 0) {
		ht_evwrite_line(out, "", 1, fn[0].function, 0, 0, 0);
		return;
	}
	for (i = 0; i < n; i++) {
		ht_evwrite_line(
		    out, "", 3, fn[i].function, fn[i].file, fn[i].line, 0);
		out->p--;
	}
	ht_out_char(out, '\n');
}

/* `v <tool version> 3`: the first line of a trace. 0.1.0 is 0x000100. */
static inline void
ht_evwrite_version(struct ht_out *out, uint32_t tool)
{
	ht_evwrite_line(out, "v", 2, tool, HT_FORMAT, 0, 0);
}

/* `I <page size> <pages of physical memory>` */
static inline void
ht_evwrite_system(struct ht_out *out, uint64_t page_size, uint64_t pages)
{
	ht_evwrite_line(out, "I", 2, page_size, pages, 0, 0);
}

/* `A`: recording began in a running program. */
static inline void
ht_evwrite_attached(struct ht_out *out)
{
	ht_evwrite_line(out, "A", 0, 0, 0, 0, 0);
}

/* `x <string>`: path of the executable. */
static inline void
ht_evwrite_exe(struct ht_out *out, const char *path, size_t len)
{
	ht_out_write(out, "x ", 2);
	ht_out_sized(out, path, len, HT_TEXT_MAX);
	ht_out_char(out, '\n');
}

/* `m 1 -`: forget all modules. */
static inline void
ht_evwrite_no_modules(struct ht_out *out)
{
	ht_out_write(out, "m 1 -\n", 6);
}

/* `m <string path> <load bias> {<vaddr> <memsz>}…` */
static inline void
ht_evwrite_module(struct ht_out *out, const char *path, size_t len,
    uint64_t bias, const struct ht_segment *seg, size_t n)
{
	size_t i;

	ht_out_write(out, "m ", 2);
	ht_out_sized(out, path, len, HT_TEXT_MAX);
	ht_evwrite_line(out, "", 1, bias, 0, 0, 0);
	for (i = 0; i < n; i++) {
		out->p--; /* the LF, which is still in the buffer */
		ht_evwrite_line(out, "", 2, seg[i].vaddr, seg[i].memsz, 0, 0);
	}
}

/* The rest of a line: a command line, a kind, a suppression. Escaped and cut
 * like a sized string. */
void ht_evwrite_rest(struct ht_out *out, const char *text, size_t len);

/* `X <command line>`: the arguments, a space between each two. */
void ht_evwrite_command(struct ht_out *out, char *const argv[]);
/* `#H <string tool and version> [<command line>]`; argv may be NULL. */
void ht_evwrite_tool(struct ht_out *out, const char *tool, char *const argv[]);
/* `S <text>` */
void ht_evwrite_suppression(struct ht_out *out, const char *text, size_t len);
/* `#B <string build id> <string path>`: the id as `len` bytes; directly
 * before the module's `m` line. */
void ht_evwrite_build_id(struct ht_out *out, const void *id, size_t len,
    const char *path, size_t path_len);
/* `#P <pid> <parent pid> <start: seconds since 1970>` */
void ht_evwrite_process(
    struct ht_out *out, uint32_t pid, uint32_t parent, uint64_t start);
/* `#T <thread> <tid> [<string name>]`; name NULL: left out. */
void ht_evwrite_thread(struct ht_out *out, uint32_t thread, uint32_t tid,
    const char *name, size_t len);
/* `#K <stack> <kind>` */
void ht_evwrite_kind(
    struct ht_out *out, uint32_t stack, const char *kind, size_t len);
/* `#M <string>` */
void ht_evwrite_mark(struct ht_out *out, const char *text, size_t len);
/* `#E …`: the last line. `end` is HT_END_EXIT and what follows it in the
 * enumeration; `value` is a status or a signal's number. */
void ht_evwrite_end(struct ht_out *out, enum ht_end end, uint64_t value);

/* `#C <stack>`: that stack had to be cut. */
static inline void
ht_evwrite_cut(struct ht_out *out, uint32_t stack)
{
	ht_evwrite_line(out, "#C", 1, stack, 0, 0, 0);
}

/* `#L <count>`: events lost here. */
static inline void
ht_evwrite_lost(struct ht_out *out, uint64_t count)
{
	ht_evwrite_line(out, "#L", 1, count, 0, 0, 0);
}

/* `#U <count>`: frees of blocks never seen allocated. */
static inline void
ht_evwrite_unseen(struct ht_out *out, uint64_t count)
{
	ht_evwrite_line(out, "#U", 1, count, 0, 0, 0);
}

/* `#D <count>`: allocations at an address still live. */
static inline void
ht_evwrite_missed(struct ht_out *out, uint64_t count)
{
	ht_evwrite_line(out, "#D", 1, count, 0, 0, 0);
}

/* `#Q <0 or 1>`: recording paused or resumed. */
static inline void
ht_evwrite_pause(struct ht_out *out, bool paused)
{
	ht_evwrite_line(out, "#Q", 1, paused ? 0 : 1, 0, 0, 0);
}

/* `#S <mean bytes between samples>` */
static inline void
ht_evwrite_sampled(struct ht_out *out, uint64_t bytes)
{
	ht_evwrite_line(out, "#S", 1, bytes, 0, 0, 0);
}

/* `#R <pages>`: ht's own share of the resident set at the end. */
static inline void
ht_evwrite_own_rss(struct ht_out *out, uint64_t pages)
{
	ht_evwrite_line(out, "#R", 1, pages, 0, 0, 0);
}

#endif
