/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes through ht-symbolize, which finds no file of a module: what comes
 * out has the events of what went in. */
#include "ht-symbolize/filter.h"
#include "t/fuzz/fuzz.h"

/* What must stay as it is, whichever form the trace has. */
struct counts {
	uint64_t traces, allocs, frees, unfrees, times, ms, bytes;
};

static struct counts
count(struct ht_in *in, bool *wrong)
{
	struct ht_evread *r = ht_evread_new(in);
	struct counts n = {0};
	struct ht_event ev;
	int rc;

	while ((rc = ht_evread_next(r, &ev)) != 0) {
		if (rc < 0)
			continue;
		n.traces += ev.kind == HT_EV_VERSION;
		n.allocs += ev.kind == HT_EV_ALLOC;
		n.frees += ev.kind == HT_EV_FREE;
		n.unfrees += ev.kind == HT_EV_UNFREE;
		n.times += ev.kind == HT_EV_TIME;
		if (ev.kind == HT_EV_TIME)
			n.ms += ev.value;
		if (ev.kind == HT_EV_ALLOC)
			n.bytes += r->t.cls[ev.cls].size;
	}
	*wrong = ht_evread_close(r) < 0;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *const nowhere[] = {NULL};
	const struct locate locate = {
	    "/nonexistent", (char **)nowhere, (char **)nowhere};
	int fd = memfd_create("output", MFD_CLOEXEC);
	struct ht_out *out = ht_out_fd(dup(fd), "output", HT_PLAIN, 0);
	struct filter *f = filter_new(out, &locate);
	struct ht_in *in = fuzz_in(data, size);
	struct counts before, after;
	bool bad, wrong, still;

	filter_run(f, in);
	ht_in_close(in);
	bad = filter_free(f) < 0;
	check(ht_out_close(out, NULL) == 0);
	lseek(fd, 0, SEEK_SET);
	before = count(fuzz_in(data, size), &wrong);
	after = count(ht_in_fd(fd, "output"), &still);
	/* What is wrong it may say or leave to the readers. */
	if (!wrong) {
		check(!bad && !still);
		check(memcmp(&before, &after, sizeof before) == 0);
	}
	return 0;
}
