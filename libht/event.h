/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of the event stream, ht-events(5), decoded. Level 3.
 *
 * Numbers are as in the stream: ids of strings, frames, stacks and threads
 * count from 1 and 0 is none; allocation classes count from 0.
 */
#ifndef HT_EVENT_H
#define HT_EVENT_H

#include "libht/base.h"

/* What a line is. HT_EV_END is the one that has no line of its own where a
 * trace does not end in `#E`: the reader gives it once for every trace. */
enum ht_event_kind {
	HT_EV_ALLOC,	   /* +   cls, address */
	HT_EV_FREE,	   /* -   cls, temporary, age, thread, address;
			    * #G  cls, age, address, part */
	HT_EV_UNFREE,	   /* #F  cls, address, temporary: as the free said;
			    * #N  cls, age, address, part */
	HT_EV_TIME,	   /* c   value: ms since the start */
	HT_EV_RSS,	   /* R   value: pages; maps */
	HT_EV_VERSION,	   /* v   value: tool version; id: format version */
	HT_EV_END,	   /* #E  end, value */
	HT_EV_EXE,	   /* x   text */
	HT_EV_COMMAND,	   /* X   text */
	HT_EV_SYSTEM,	   /* I   the tables have it */
	HT_EV_ATTACHED,	   /* A */
	HT_EV_SUPPRESSION, /* S   text: `leak:…` */
	HT_EV_MODULE,	   /* m   text; the tables have the rest */
	HT_EV_NO_MODULES,  /* m 1 - */
	HT_EV_STRING,	   /* s   id, text */
	HT_EV_FRAME,	   /* i   id */
	HT_EV_STACK,	   /* t   id */
	HT_EV_CLASS,	   /* a   cls */
	HT_EV_TOOL,	   /* #H  text: tool and version */
	HT_EV_BUILD_ID,	   /* #B  text: path */
	HT_EV_PROCESS,	   /* #P  the tables have it */
	HT_EV_THREAD,	   /* #T  id */
	HT_EV_KIND,	   /* #K  id: stack; text */
	HT_EV_CUT,	   /* #C  id: stack */
	HT_EV_LOST,	   /* #L  value: events lost here */
	HT_EV_UNSEEN,	   /* #U  value: frees of blocks never seen allocated */
	HT_EV_MISSED,	   /* #D  value: frees that were missed */
	HT_EV_MARK,	   /* #M  text; id: of it among the tables' texts */
	HT_EV_PAUSE,	   /* #Q  value: 0 or 1 */
	HT_EV_SAMPLED,	   /* #S  value: mean bytes between samples */
	HT_EV_OWN_RSS,	   /* #R  value: pages */
	HT_EV_COMMENT	   /* any other line that begins with # */
};

/* How a trace ended. */
enum ht_end {
	HT_END_NONE,	  /* no `#E`: usual for heaptrack, which has none */
	HT_END_TRUNCATED, /* no `#E` where one was to be expected */
	HT_END_EXIT,	  /* value: status */
	HT_END_SIGNAL,	  /* value: number */
	HT_END_EXEC,
	HT_END_DETACHED,
	HT_END_STOPPED
};

struct ht_event {
	enum ht_event_kind kind;
	enum ht_end end;
	uint32_t cls;
	uint32_t id;
	bool temporary;
	/* Of the two: a block goes, or comes, as it is now others, or a part of
	 * one; there was no call. */
	bool part;
	/* Of HT_EV_FREE: how old the block is in ms, 0 when younger than a
	 * tick; the thread that freed it, 0: the one that allocated it. */
	uint32_t thread;
	uint64_t age;
	uint64_t address; /* 0 unless the trace carries addresses */
	uint64_t value;
	uint64_t maps; /* of HT_EV_RSS: 1 + pages of maps; 0: not known */
	/* Bytes of the input, not terminated; until the next call. */
	const char *text;
	size_t len;
};

/* One loaded segment of a module, as `m` lines give it. */
struct ht_segment {
	uint64_t vaddr, memsz;
};

/* One function of a resolved address: string ids and a line, 0 unknown. */
struct ht_frame_fn {
	uint32_t function, file, line;
};

#endif
