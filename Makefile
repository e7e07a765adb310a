# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make             build bin/ and lib/
# make deps        install what the build needs (says what, first)
# make demo        deps, build, record a real program, print its report
# make test        deps, build, run the tests
# make bench       measure beside heaptrack
# make fuzz        libFuzzer (clang) on what reads files: each target, or those
#                  of FUZZ='evread …', FUZZ_SECONDS (1800) each; what fails is
#                  left in fuzz/found
# make install     PREFIX (default /usr/local), DESTDIR
#
# make lib         build lib/ only; for programs of another libc on this
#                  machine with OUT and its compiler, as in CC=musl-gcc
#
# ht-html's page is built from packages that npm brings. Where npm is missing,
# and with NPM= (nothing), all but ht-html is built.
#
# OUT=DIR builds into DIR/bin, DIR/lib and DIR/obj; SAN=address,undefined
# builds the commands with sanitizers; WERROR=1 makes warnings errors; V=1
# shows the commands.

VERSION = 0.1.0

Q      := $(if $(V),,@)
quiet  := $(findstring s,$(firstword -$(MAKEFLAGS)))
say     = $(if $(V)$(quiet),:,echo) "  $(1)	$(patsubst ./%,%,$@)"

OUT    ?= .
PREFIX ?= /usr/local
CC     ?= gcc
NPM    ?= $(shell command -v npm)
CFLAGS ?= -O2 -g
bindir  = $(PREFIX)/bin
libdir  = $(PREFIX)/lib
mandir  = $(PREFIX)/share/man
includedir = $(PREFIX)/include

BIN = $(OUT)/bin
LIB = $(OUT)/lib
OBJ = $(OUT)/obj

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
       -Wvla -Wpointer-arith -Wwrite-strings -Wundef $(if $(WERROR),-Werror)
BASE = -std=gnu11 -I. -D_GNU_SOURCE -DHT_VERSION='"$(VERSION)"' $(WARN) \
       -MMD -MP
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer)

COMMANDS = ht-aggregate ht-fold ht-html ht-massif ht-record ht-symbolize ht-top
BUILT    = $(if $(NPM),$(COMMANDS),$(filter-out ht-html,$(COMMANDS)))

libht_src   = $(wildcard libht/*.c)
preload_all = $(wildcard ht-record/preload/*.c)
preload_src = $(filter-out %/attached.c %/alone.c %/imports.c,$(preload_all))
attach_src  = $(filter-out %/boot.c %/child.c %/exec.c %/patch.c %/defined.c \
              %/rlimits.c,$(preload_all))
libht_obj   = $(libht_src:%.c=$(OBJ)/%.o)
preload_obj = $(preload_src:%.c=$(OBJ)/%.o) \
              $(OBJ)/ht-record/preload/x86.o $(OBJ)/ht-record/preload/symtab.o
attach_obj  = $(attach_src:%.c=$(OBJ)/attach/%.o)
cmd_obj     = $(patsubst %.c,$(OBJ)/%.o,$(wildcard $(1)/*.c))

libht_libs        = -lz -lzstd -lpthread -lm
ht-symbolize_libs = -ldw -lelf -liberty

.PHONY: all lib deps deps-test demo test bench fuzz fuzzers install clean progs \
        format
.DELETE_ON_ERROR:

all: $(BUILT:%=$(BIN)/%) lib
ifeq ($(NPM),)
	@echo "ht-html is left out: it needs npm, which \`make deps' installs"
endif

# Those for the machine that is built for. A program that runs can be attached
# to on x86-64 only.
libs = $(LIB)/libht-preload.so
x86_64 := $(filter x86_64-%,$(shell $(CC) -dumpmachine))
ifneq ($(x86_64),)
libs += $(LIB)/libht-attach.so
endif

lib: $(libs)

# Everything in the preload library is hidden unless a hook says otherwise. A
# hook's frame is looked at by what it calls, so it stays until that is done; no
# builtin of malloc's family may be assumed; nothing may be bound lazily in a
# hook. No vector registers: a program that calls malloc with a misaligned stack
# must not die of our spills; so none of the libc's inline functions either, as
# older compilers do not like its atof then.
PRELOAD = -O2 -g -fPIC -fvisibility=hidden -ftls-model=initial-exec \
          -fno-optimize-sibling-calls -fno-builtin-malloc -fno-builtin-free \
          -fno-builtin-calloc -fno-builtin-realloc -fno-stack-protector \
          -fno-exceptions -fasynchronous-unwind-tables -mgeneral-regs-only \
          -D__NO_INLINE__
ifneq ($(x86_64),)
PRELOAD += -mcx16
endif

$(OBJ)/ht-record/preload/%.o: ht-record/preload/%.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(PRELOAD) -c -o $@ $<

# What of the recorder's is in the library, too.
$(OBJ)/ht-record/preload/x86.o $(OBJ)/ht-record/preload/symtab.o: \
$(OBJ)/ht-record/preload/%.o: ht-record/%.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(PRELOAD) -c -o $@ $<

# The same for a program that runs already: no loader will see it, so it has
# no TLS and is linked with nothing.
$(OBJ)/attach/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(PRELOAD) -DHT_ATTACHED -fno-builtin \
	    -fno-tree-loop-distribute-patterns -c -o $@ $<

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -c -o $@ $<

$(OBJ)/libht.a: $(libht_obj)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(LIB)/libht-preload.so: $(preload_obj)
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) -shared -Wl,-soname,libht-preload.so -Wl,-z,now -Wl,-z,defs \
	    -Wl,-z,nodelete -Wl,--eh-frame-hdr -o $@ $^ -Wl,--as-needed -ldl

$(LIB)/libht-attach.so: $(attach_obj)
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) -shared -nostdlib -Wl,-soname,libht-attach.so -Wl,-z,now \
	    -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,--eh-frame-hdr \
	    -Wl,-e,ht_head -o $@ $^

.SECONDEXPANSION:
$(COMMANDS:%=$(BIN)/%): $(BIN)/%: $$(call cmd_obj,%) $(OBJ)/libht.a
	@mkdir -p $(@D)
	@$(call say,LD)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $($*_libs) $(libht_libs)

# ht-html's page: its source is copied, so that npm writes nothing beside it.
web     = $(OBJ)/ht-html/web
web_src = $(shell cd ht-html/web && \
          find . -name node_modules -prune -o -name dist -prune -o -type f -print)
web_npm = package.json package-lock.json .npmrc

$(web)/node_modules/.package-lock.json: $(web_npm:%=ht-html/web/%)
	@mkdir -p $(web)
	@$(call say,NPM)
	$(Q)cp $^ $(web)
	$(Q)cd $(web) && $(NPM) ci --no-audit --no-fund --loglevel=error || { \
	    echo "the packages of ht-html's page could not be had:" \
	        "\`make NPM=' builds all but ht-html" >&2; exit 1; }

$(web)/dist/page.html: $(web_src:%=ht-html/web/%) \
    $(web)/node_modules/.package-lock.json
	@$(call say,PAGE)
	$(Q)cd ht-html/web && for file in $(web_src); do \
	    mkdir -p "$(abspath $(web))/$${file%/*}" && \
	    cp "$$file" "$(abspath $(web))/$$file" || exit; done
	$(Q)cd $(web) && $(NPM) run --silent build

$(OBJ)/ht-html/page.o: $(web)/dist/page.html
$(OBJ)/ht-html/page.o: BASE += -DHT_TEMPLATE='"$(web)/dist/page.html"'

# Programs under test: built as users build theirs, by no flag of ours.
prog_c  = $(patsubst t/prog/%.c,$(OBJ)/prog/%,$(wildcard t/prog/*.c))
prog_cc = $(patsubst t/prog/%.cc,$(OBJ)/prog/%,$(wildcard t/prog/*.cc))
unit    = $(patsubst t/unit/%.c,$(OBJ)/unit/%,$(wildcard t/unit/*.c))

progs: $(prog_c) $(prog_cc) $(unit)

$(OBJ)/prog/%: t/prog/%.c
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) -O2 -g -w -o $@ $< $$(sed -n 's/^.* LINK: \(.*\) \*\/$$/\1/p' $<) \
	    -lpthread -ldl -lrt

$(OBJ)/prog/%: t/prog/%.cc
	@mkdir -p $(@D)
	@$(call say,CXX)
	$(Q)$(CXX) -O2 -g -w -o $@ $< -lpthread -ldl

# A unit test is a cmocka program over libht.
$(OBJ)/unit/%: t/unit/%.c $(OBJ)/libht.a
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -o $@ $< $(OBJ)/libht.a -lcmocka \
	    $(libht_libs)

# A fuzz target is t/fuzz/x.c, for x.c. `make fuzz` builds them, and all that
# they look at, with coverage and sanitizers in OUT/fuzz.
fuzzers: $(patsubst t/fuzz/%.c,$(OBJ)/fuzz/%,$(wildcard t/fuzz/*.c))

fuzz_filter_obj = $(filter-out %/main.o,$(call cmd_obj,ht-symbolize))
fuzz_filter_libs = $(ht-symbolize_libs)
fuzz_limits_obj = $(addprefix $(OBJ)/ht-top/,limits.o costs.o)

$(OBJ)/fuzz/%: t/fuzz/%.c $$(fuzz_$$*_obj) $(OBJ)/libht.a
	@mkdir -p $(@D)
	@$(call say,CC)
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SANFLAGS) -fsanitize=fuzzer -o $@ $< \
	    $(fuzz_$*_obj) $(OBJ)/libht.a $(fuzz_$*_libs) $(libht_libs)

deps:
	@sh t/deps.sh build

deps-test:
	@sh t/deps.sh build test

demo:
	@sh t/deps.sh build demo
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@sh t/demo.sh

test:
	@sh t/deps.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) all progs
	HT_OUT=$(abspath $(OUT)) prove -r t

bench:
	@sh t/deps.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) all
	HT_OUT=$(abspath $(OUT)) sh t/bench/bench.sh

fuzz:
	@sh t/deps.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) OUT=$(OUT)/fuzz CC=clang \
	    CFLAGS='-O1 -g -DHT_LINE_MAX=16384' \
	    SAN=address,undefined,fuzzer-no-link fuzzers
	@sh t/fuzz/fuzz.sh $(abspath $(OUT))/fuzz $(FUZZ)

install: all
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(libdir) \
	    $(DESTDIR)$(includedir) $(DESTDIR)$(mandir)/man1 \
	    $(DESTDIR)$(mandir)/man3 $(DESTDIR)$(mandir)/man5 \
	    $(DESTDIR)$(mandir)/man7
	install $(BUILT:%=$(BIN)/%) $(DESTDIR)$(bindir)
	install -m 644 $(libs) $(DESTDIR)$(libdir)
	install -m 644 ht-record/preload/ht.h $(DESTDIR)$(includedir)
	install -m 644 man/*.1 $(DESTDIR)$(mandir)/man1
	install -m 644 man/*.3 $(DESTDIR)$(mandir)/man3
	install -m 644 man/*.5 $(DESTDIR)$(mandir)/man5
	install -m 644 man/*.7 $(DESTDIR)$(mandir)/man7

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BIN) $(LIB) $(OBJ) $(OUT)/fuzz/obj

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
