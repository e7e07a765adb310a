/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ht-record/program.h"
#include "ht-record/ring.h"
#include "libht/mem.h"
#include "libht/str.h"

#define SCRIPT_DEPTH 5 /* interpreters of interpreters, as the kernel's */

/* ---- finding ---------------------------------------------------------- */

/* 0, or errno: what execve would say of this path. */
static int
runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return access(path, X_OK) == -1 ? errno : 0;
}

/* The path of `name`, to be freed, looked for in PATH unless it has a slash;
 * NULL with errno set. */
static char *
find(const char *name)
{
	const char *path = getenv("PATH");
	int why = ENOENT;

	if (strchr(name, '/') || !*name) {
		errno = *name ? runnable(name) : ENOENT;
		return errno ? NULL : ht_strdup(name);
	}
	if (!path)
		path = "/bin:/usr/bin";
	for (;; path++) {
		size_t len = strcspn(path, ":");
		struct ht_str s = {0};
		int e;

		ht_str_add(&s, len ? path : ".", len ? len : 1);
		ht_str_addc(&s, '/');
		ht_str_addz(&s, name);
		e = runnable(s.data);
		if (!e)
			return s.data;
		if (e == EACCES)
			why = e;
		ht_str_release(&s);
		path += len;
		if (!*path)
			break;
	}
	errno = why;
	return NULL;
}

/* ---- judging ---------------------------------------------------------- */

struct image {
	const char *data;
	size_t size;
};

/* `n` bytes at offset `at`, or NULL when the file is shorter. */
static const void *
bytes_at(const struct image *f, uint64_t at, uint64_t n)
{
	return at <= f->size && n <= f->size - at ? f->data + at : NULL;
}

static const ElfW(Phdr) * program_header(const struct image *f, unsigned i)
{
	const ElfW(Ehdr) *eh = bytes_at(f, 0, sizeof *eh);

	return i < eh->e_phnum
		   ? bytes_at(f, eh->e_phoff + i * sizeof(ElfW(Phdr)),
			 sizeof(ElfW(Phdr)))
		   : NULL;
}

/* Where in the file the address `vaddr` of the image comes from. */
static uint64_t
file_offset(const struct image *f, uint64_t vaddr)
{
	const ElfW(Phdr) * ph;

	for (unsigned i = 0; (ph = program_header(f, i)); i++)
		if (ph->p_type == PT_LOAD && vaddr - ph->p_vaddr < ph->p_filesz)
			return vaddr - ph->p_vaddr + ph->p_offset;
	return UINT64_MAX;
}

/* Does a string of the dynamic string table begin with `prefix`? */
static bool
has_dynamic_string(
    const struct image *f, const ElfW(Phdr) * dynamic, const char *prefix)
{
	const ElfW(Dyn) *d = bytes_at(f, dynamic->p_offset, dynamic->p_filesz);
	uint64_t at = UINT64_MAX, size = 0;
	const char *strings, *p;

	for (size_t i = 0; d && i < dynamic->p_filesz / sizeof *d; i++) {
		if (d[i].d_tag == DT_STRTAB)
			at = file_offset(f, d[i].d_un.d_ptr);
		if (d[i].d_tag == DT_STRSZ)
			size = d[i].d_un.d_val;
	}
	strings = bytes_at(f, at, size);
	for (p = strings; p && p < strings + size;
	     p = memchr(p, 0, (size_t)(strings + size - p)), p = p ? p + 1 : p)
		if (!strncmp(p, prefix,
			strnlen(prefix, (size_t)(strings + size - p))) &&
		    (size_t)(strings + size - p) > strlen(prefix))
			return true;
	return false;
}

static const char *
sanitizer(const struct image *f, const ElfW(Phdr) * dynamic)
{
	static const char *const sign[][2] = {
	    {"__asan_init", "AddressSanitizer"},
	    {"libasan.so", "AddressSanitizer"},
	    {"__tsan_init", "ThreadSanitizer"},
	    {"libtsan.so", "ThreadSanitizer"},
	    {"__msan_init", "MemorySanitizer"},
	};

	for (size_t i = 0; i < HT_LEN(sign); i++)
		if (has_dynamic_string(f, dynamic, sign[i][0]))
			return sign[i][1];
	return NULL;
}

static const char *
machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "32-bit x86";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_AARCH64:
		return "aarch64";
	case EM_RISCV:
		return "RISC-V";
	default:
		return "another architecture";
	}
}

/* 0, or -1 with *err set, to a sentence about `name`. */
static int
check_elf(const char *name, const struct image *f, struct ht_error *err)
{
	const ElfW(Ehdr) *eh = bytes_at(f, 0, sizeof *eh);
	const ElfW(Phdr) * ph, *dynamic = NULL;
	bool interpreter = false;
	const char *san;
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ElfW(Ehdr) us = {0};

	if (own == -1 || read(own, &us, sizeof us) != sizeof us)
		us = *eh;
	if (own != -1)
		close(own);
	if (eh->e_machine != us.e_machine ||
	    eh->e_ident[EI_CLASS] != us.e_ident[EI_CLASS])
		return ht_error_set(err,
		    "cannot record %s: it is a program for %s, and this "
		    "ht-record is for %s",
		    name, machine_name(eh->e_machine),
		    machine_name(us.e_machine));
	for (unsigned i = 0; (ph = program_header(f, i)); i++) {
		interpreter |= ph->p_type == PT_INTERP;
		if (ph->p_type == PT_DYNAMIC)
			dynamic = ph;
	}
	if (!interpreter || !dynamic)
		return ht_error_set(err,
		    "cannot record %s: it is statically linked, so no "
		    "library can be loaded into it",
		    name);
	san = sanitizer(f, dynamic);
	if (san)
		return ht_error_set(err,
		    "cannot record %s: it is built with %s, which replaces "
		    "malloc itself: build it without -fsanitize to record it",
		    name, san);
	return 0;
}

/* A program that gains rights when it starts loads no library of ours. */
static int
check_rights(const char *name, int fd, struct ht_error *err)
{
	struct stat st;
	bool gains;

	if (fstat(fd, &st) == -1)
		return ht_error_errno(err, "cannot look at '%s'", name);
	gains = (st.st_mode & S_ISUID && st.st_uid != getuid()) ||
		((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		    st.st_gid != getgid()) ||
		(getuid() != 0 &&
		    fgetxattr(fd, "security.capability", NULL, 0) > 0);
	if (gains)
		return ht_error_set(err,
		    "cannot record '%s': it is setuid, setgid or has file "
		    "capabilities, and the loader takes no library from the "
		    "user then",
		    name);
	return 0;
}

static int check_file(
    const char *name, const char *path, int depth, struct ht_error *err);

/* `#!interpreter`: that is the program which will run. */
static int
check_script(
    const char *name, const struct image *f, int depth, struct ht_error *err)
{
	const char *p = f->data + 2, *end = f->data + f->size;
	char path[PATH_MAX];
	size_t n = 0;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && *p != ' ' && *p != '\t' && *p != '\n' &&
	       n < sizeof path - 1)
		path[n++] = *p++;
	path[n] = '\0';
	if (runnable(path) != 0)
		return ht_error_set(err,
		    "cannot run '%s': its interpreter '%s' cannot be run: %s",
		    name, path, strerror(runnable(path)));
	return depth < SCRIPT_DEPTH ? check_file(name, path, depth + 1, err)
				    : 0;
}

/* Maps a file of more than 4 bytes; size 0: it cannot be. */
static struct image
map_image(int fd)
{
	struct image f = {0};
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size > 4) {
		f.size = (size_t)st.st_size;
		f.data = mmap(NULL, f.size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (f.data == MAP_FAILED)
			f.size = 0;
	}
	return f;
}

static bool
is_elf(const struct image *f)
{
	return f->size >= sizeof(ElfW(Ehdr)) &&
	       !memcmp(f->data, ELFMAG, SELFMAG);
}

static int
check_file(const char *name, const char *path, int depth, struct ht_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	struct image f = {0};
	struct ht_str quoted = {0};

	if (fd == -1)
		return 0; /* executable, not readable: execve will tell */
	r = check_rights(path, fd, err);
	if (r == 0)
		f = map_image(fd);
	close(fd);
	if (!f.size)
		return r;
	ht_str_addf(&quoted, "'%s'", depth ? path : name);
	if (!memcmp(f.data, "#!", 2))
		r = check_script(name, &f, depth, err);
	else if (is_elf(&f))
		r = check_elf(quoted.data, &f, err);
	ht_str_release(&quoted);
	munmap((void *)f.data, f.size);
	return r;
}

int
ht_program_check_running(
    const char *name, const char *path, struct ht_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct image f;

	if (fd == -1)
		return 0; /* its memory will tell */
	f = map_image(fd);
	close(fd);
	if (is_elf(&f))
		r = check_elf(name, &f, err);
	if (f.size)
		munmap((void *)f.data, f.size);
	return r;
}

int
ht_program_check(const char *name, struct ht_error *err)
{
	char *path = find(name);
	int status;

	if (!path) {
		status = errno == ENOENT || errno == ENOTDIR ? HT_NOT_FOUND
							     : HT_NOT_RUNNABLE;
		ht_error_errno(err, "cannot run '%s'", name);
		return status;
	}
	status = check_file(name, path, 0, err) == 0 ? 0 : HT_NOT_RUNNABLE;
	free(path);
	return status;
}

/* ---- allocators within ------------------------------------------------ */

/* What its allocator is called, if the text around "malloc", the `at`-th byte
 * of `n`, is one of the messages of such. */
static const char *
allocator_of(const char *p, size_t at, size_t n)
{
	static const struct {
		const char *before, *after, *name;
	} message[] = {
	    {"<je", ">: ", "jemalloc"},
	    {"tc", ": ", "tcmalloc"},
	    {"mi", ": warning", "mimalloc"},
	};

	for (size_t i = 0; i < HT_LEN(message); i++) {
		size_t before = strlen(message[i].before);
		size_t after = strlen(message[i].after);

		if (at >= before && n - at >= 6 + after &&
		    !memcmp(p + at - before, message[i].before, before) &&
		    !memcmp(p + at + 6, message[i].after, after))
			return message[i].name;
	}
	return NULL;
}

static const char *
allocator_in(const char *p, size_t n)
{
	const char *found = NULL, *q = p;

	while (
	    !found && q && (q = memmem(q, n - (size_t)(q - p), "malloc", 6))) {
		found = allocator_of(p, (size_t)(q - p), n);
		q++;
	}
	return found;
}

/* Then its functions could be found. */
static bool
has_symtab(const struct image *f)
{
	const ElfW(Ehdr) *eh = bytes_at(f, 0, sizeof *eh);
	const ElfW(Shdr) *sh =
	    bytes_at(f, eh->e_shoff, eh->e_shnum * sizeof *sh);

	for (unsigned i = 0; sh && i < eh->e_shnum; i++)
		if (sh[i].sh_type == SHT_SYMTAB)
			return true;
	return false;
}

const char *
ht_program_hidden_allocator(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ElfW(Phdr) * ph;
	const char *found = NULL, *p;
	struct image f;

	if (fd == -1)
		return NULL;
	f = map_image(fd);
	close(fd);
	if (is_elf(&f) && !has_symtab(&f))
		for (unsigned i = 0; !found && (ph = program_header(&f, i));
		     i++)
			if (ph->p_type == PT_LOAD &&
			    !(ph->p_flags & (PF_W | PF_X)) &&
			    (p = bytes_at(&f, ph->p_offset, ph->p_filesz)))
				found = allocator_in(p, ph->p_filesz);
	if (f.size)
		munmap((void *)f.data, f.size);
	return found;
}

/* ---- starting --------------------------------------------------------- */

static void
set_environment(const struct ht_launch *l, pid_t recorder)
{
	const char *theirs = getenv("LD_PRELOAD");
	struct ht_str s = {0};

	ht_str_addf(&s, "%s%s%s", l->library, theirs && *theirs ? ":" : "",
	    theirs ? theirs : "");
	setenv("LD_PRELOAD", s.data, 1);
	ht_str_clear(&s);
	ht_str_addf(&s, "%d:%d:%d%s", (int)recorder, l->ring_fd, (int)getpid(),
	    l->follow ? l->follow : "");
	setenv(HT_ENV, s.data, 1);
	ht_str_release(&s);
}

/* The signals that libc keeps for its threads, and hides from sigaction: it
 * catches them from the first thread on, so across an exec they would not be
 * ignored any more. The kernel's own view of them. */
#define LIBC_SIGNAL 32

struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static void
note_libc_signals(struct ht_found *f)
{
	struct kernel_sigaction a;

	for (int i = 0; i < 2; i++)
		f->libc_ignored[i] = syscall(SYS_rt_sigaction, LIBC_SIGNAL + i,
					 NULL, &a, sizeof a.mask) == 0 &&
				     a.handler == SIG_IGN;
}

static void
restore_libc_signals(const struct ht_found *f)
{
	struct kernel_sigaction a = {.handler = SIG_IGN};

	for (int i = 0; i < 2; i++)
		if (f->libc_ignored[i])
			syscall(SYS_rt_sigaction, LIBC_SIGNAL + i, &a, NULL,
			    sizeof a.mask);
}

void
ht_found_note(struct ht_found *f)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct rlimit most;

	sigprocmask(SIG_SETMASK, NULL, &f->blocked);
	note_libc_signals(f);
	sigaction(SIGPIPE, &ignore, &f->pipe);
	sigaction(SIGXFSZ, &ignore, &f->too_large);
	getrlimit(RLIMIT_FSIZE, &f->file_size);
	most = f->file_size;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_FSIZE, &most);
}

static void
found_restore(const struct ht_found *f)
{
	restore_libc_signals(f);
	sigaction(SIGPIPE, &f->pipe, NULL);
	sigaction(SIGXFSZ, &f->too_large, NULL);
	setrlimit(RLIMIT_FSIZE, &f->file_size);
	sigprocmask(SIG_SETMASK, &f->blocked, NULL);
}

static HT_NORETURN void
child(const struct ht_launch *l, pid_t recorder, int go, int report)
{
	char word;
	int e;

	if (read(go, &word, 1) != 1)
		_exit(HT_CANNOT);
	if (l->stdout_is_stderr)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	set_environment(l, recorder);
	found_restore(l->found);
	execvp(l->argv[0], l->argv);
	e = errno;
	if (write(report, &e, sizeof e) == -1)
		_exit(HT_CANNOT);
	_exit(HT_NOT_RUNNABLE);
}

int
ht_program_fork(
    struct ht_child *c, const struct ht_launch *l, struct ht_error *err)
{
	pid_t recorder = getpid();
	int go[2], report[2];

	if (pipe2(go, O_CLOEXEC) == -1 || pipe2(report, O_CLOEXEC) == -1)
		return ht_error_errno(err, "cannot make a pipe");
	c->pid = fork();
	if (c->pid == -1)
		return ht_error_errno(err, "cannot fork");
	if (c->pid == 0) {
		close(go[1]);
		child(l, recorder, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	c->go = go[1];
	c->report = report[0];
	return 0;
}

int
ht_program_go(struct ht_child *c, const char *name, struct ht_error *err)
{
	ssize_t n = write(c->go, "g", 1);
	int e = 0;

	close(c->go);
	do
		n = read(c->report, &e, sizeof e);
	while (n == -1 && errno == EINTR);
	close(c->report);
	if (n != sizeof e)
		return 0;
	waitpid(c->pid, NULL, 0);
	errno = e;
	ht_error_errno(err, "cannot run '%s'", name);
	return e == ENOENT ? HT_NOT_FOUND : HT_NOT_RUNNABLE;
}

void
ht_program_drop(struct ht_child *c)
{
	close(c->go);
	close(c->report);
	waitpid(c->pid, NULL, 0);
}
