#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The library inside the program: what it imports, what it exports, and that
# recording allocates nothing.
. "${0%/*}/lib.sh"

so=$LIB/libht-preload.so

# --- what it needs ---------------------------------------------------------
# Before glibc 2.34 dlsym lies in libdl.
is "$(readelf -d "$so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vx libdl.so.2)" libc.so.6 'it needs libc, and nothing but libc'
is "$(readelf -d "$so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')" \
    libht-preload.so 'its name'
like "$(readelf -d "$so")" 'NOW' 'nothing is bound in the middle of a hook'
unlike "$(readelf -d "$so")" 'TEXTREL|RPATH|RUNPATH' 'no text relocations'
like "$(readelf -lW "$so")" 'GNU_STACK .* RW ' 'no executable stack'
like "$(readelf -d "$so")" 'STATIC_TLS' 'its thread data is of the initial-exec kind'
tls=$(readelf -lW "$so" | awk '$1 == "TLS" { print $6 }')
between 1 $((${tls:-0})) 256 'and tiny'

nm -D --undefined-only "$so" | awk '{ print $NF }' | sort -u >imports
# All versions are the libc's, or weak symbols that the linker put there.
is "$(grep -v '@GLIBC_' imports | grep -Evx \
    '__cxa_finalize|_ITM_(de)?registerTMCloneTable|__gmon_start__|_r_debug|_dl_debug_addr|_dl_find_object|__libc_stack_end')" '' \
    'every symbol it imports is of libc'

# Nothing that allocates, locks, prints, or ends the program.
forbidden='malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf|.*printf|.*scanf|f?puts|putchar|fopen.*|fdopen|fclose|fread|fwrite|fflush|getline|setvbuf|std(in|out|err)|setlocale|newlocale|uselocale|abort|exit|_exit|_Exit|quick_exit|__assert_fail|atexit|on_exit|__stack_chk_fail|perror|error|err|warn|syslog|pthread_create|pthread_mutex_.*|pthread_cond_.*|pthread_rwlock_.*|pthread_once|pthread_atfork|pthread_key_create|signal|sigaction|sigaltstack|timer_create|setitimer|alarm|opendir|readdir|popen|system|fork|vfork|clone|dl_iterate_phdr|backtrace|_Unwind_.*|getaddrinfo|setenv|putenv|unsetenv|clearenv|qsort|regcomp|glob|wordexp|iconv.*'
is "$(sed 's/@.*//' imports | grep -Ex "$forbidden")" '' \
    'none of them allocates, locks, prints or ends the program'

# What it may import; a new name is added here after a thought about it.
allowed='dlerror|pthread_setspecific|dlsym|dlvsym|dlopen|dlinfo|dladdr1?|_dl_find_object|_r_debug|_dl_debug_addr|__errno_location|environ|_environ|__environ|__libc_stack_end|getauxval|syscall|mmap64|mmap|munmap|madvise|mprotect|mincore|open64|open|openat64|openat|close|read|pread64|pread|write|readlink|readlinkat|fstat64|fstat|__fxstat|stat64|stat|memfd_create|ftruncate64|socket|connect|recvmsg|sendmsg|getpid|gettid|getppid|sched_yield|sched_getcpu|nanosleep|clock_gettime|sysconf|getpagesize|prctl|process_vm_readv|memcpy|memmove|memset|memcmp|memchr|strlen|strnlen|strcmp|strncmp|strchr|strrchr|strcspn|strspn|strstr|strcpy|strncpy|stpcpy|stpncpy|strtol|strtoul|strtoull|strtoll|getenv|secure_getenv|pthread_self|pthread_getattr_np|pthread_attr_getstack|pthread_attr_destroy|execve|execv|execvp|execvpe|fexecve|execveat|posix_spawn|posix_spawnp|__cxa_finalize|__tls_get_addr|_ITM_deregisterTMCloneTable|_ITM_registerTMCloneTable|__gmon_start__|getcontext|__cxa_atexit|__libc_single_threaded|gnu_get_libc_version|program_invocation_name|__memcpy_chk|__strcpy_chk|__read_chk|__memset_chk|__memmove_chk|__stpcpy_chk|__readlink_chk'
is "$(sed 's/@.*//' imports | grep -Evx "$allowed")" '' \
    'each was thought about'

# --- what it offers --------------------------------------------------------
hooks='mmap|mmap64|munmap|mremap|brk|sbrk|malloc|free|calloc|realloc|reallocarray|posix_memalign|aligned_alloc|memalign|valloc|pvalloc|cfree|free_sized|free_aligned_sized|dlclose|prctl|syscall|setrlimit|setrlimit64|prlimit|prlimit64|execl|execle|execlp|execv|execve|execvp|execvpe|execveat|fexecve|posix_spawn|posix_spawnp|system|popen|heaptrack_malloc|heaptrack_realloc|heaptrack_free|ht_api_join'
nm -D --defined-only "$so" | awk '{ print $NF }' | sed 's/@.*//' | sort -u >exports
is "$(grep -Evx "$hooks" exports)" '' 'it exports the hooks only'
for f in malloc free calloc realloc reallocarray posix_memalign aligned_alloc \
    memalign valloc pvalloc dlclose execve execv execvp execvpe execl execlp \
    execle fexecve heaptrack_malloc heaptrack_realloc heaptrack_free; do
	ok "grep -qx $f exports" "it hooks $f"
done
for f in _Znwm _ZdlPv je_malloc mi_malloc tc_malloc dlopen; do
	ok "! grep -qx $f exports" "it does not show $f"
done

# --- recording allocates nothing -------------------------------------------
# nextcount stands behind the library and counts what reaches the libc.
# no_more NAME THREADS COMMAND…, THREADS in shell arithmetic: the loader gives each thread a table with a
# slot of 16 bytes for each module that has thread data, and the library is one.
no_more() {
	t_name=$1
	threads=$2
	shift 2
	run env LD_PRELOAD="$PROG/nextcount" NEXTCOUNT="$TMP/one" "$@"
	plain=$status
	run "$BIN/ht-record" -q -o t.ht env LD_PRELOAD="$PROG/nextcount" \
	    NEXTCOUNT="$TMP/two" "$@"
	is $status $plain "$t_name: status"
	is "$(said allocations two) $(said frees two)" \
	    "$(said allocations one) $(said frees one)" \
	    "$t_name: as many allocations and frees as without us"
	is "$(said total_bytes two)" \
	    $(($(said total_bytes one) + 16 * ($(eval "echo $threads")))) "$t_name: bytes too"
	replay t.ht
	is "$(re allocations) $(re frees) $(re total_bytes)" \
	    "$(said allocations two) $(said frees two) $(said total_bytes two)" \
	    "$t_name: and as many as we recorded"
}
no_more counts 0 "$PROG/counts"
no_more throw 0 "$PROG/throw"
no_more deep 0 "$PROG/deep" 3000
no_more life 1 "$PROG/life"
# The libc keeps some stacks with their tables; so how many tables there were
# is what is left over.
no_more churn '$(($(said allocations one) - 2000))' "$PROG/churn" 200 20
no_more jq 0 jq -n '[range(10000)] | map(tostring) | add | length'
no_more sqlite3 0 sqlite3 :memory: \
    'with recursive c(n) as (select 1 union all select n + 1 from c where n < 9999) select sum(length(hex(n))) from c;'
# Some hashes of python3 are addresses.
setarch -R true 2>/dev/null && same_addresses='setarch -R'
no_more python3 0 ${same_addresses-} env PYTHONMALLOC=malloc PYTHONHASHSEED=0 /usr/bin/python3 -S -c \
    'import json; print(len(json.dumps(list(range(9999)))))'
done_testing
