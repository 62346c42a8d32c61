#define _GNU_SOURCE
#include "CPlatform.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#if defined(__linux__)
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#endif

int wharf_set_parent_death_signal(int signal) {
#if defined(__linux__)
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
#else
    (void)signal;
    errno = ENOTSUP;
    return -1;
#endif
}

short wharf_spawn_daemon_flags(void) {
    short flags = 0;
#if defined(POSIX_SPAWN_SETSID)
    flags |= POSIX_SPAWN_SETSID;
#endif
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    return flags;
}

int wharf_spawn_add_close_others(posix_spawn_file_actions_t *actions) {
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    return posix_spawn_file_actions_addclosefrom_np(actions, 3);
#endif
#endif
    (void)actions;
    return 0;
}

int wharf_terminal_columns(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void wharf_start_writeback(int descriptor, long long offset, long long count) {
#if defined(__linux__)
    sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
#else
    (void)descriptor;
    (void)offset;
    (void)count;
#endif
}

#if defined(__linux__)
static int release_program(struct dl_phdr_info *info, size_t size, void *page) {
    (void)size;
    for (int number = 0; number < info->dlpi_phnum; number++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[number];
        // What can be written has been relocated, and is nowhere else.
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0) continue;
        uintptr_t mask = ~(*(uintptr_t *)page - 1);
        uintptr_t begin = (info->dlpi_addr + part->p_vaddr) & mask;
        uintptr_t end = (info->dlpi_addr + part->p_vaddr + part->p_memsz) & mask;
        if (end > begin) madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    // The first is the program itself; libraries are shared with others.
    return 1;
}
#endif

void wharf_release_program_pages(void) {
#if defined(__linux__)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    dl_iterate_phdr(release_program, &page);
#endif
}

long wharf_raise_descriptor_limit(long most) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    rlim_t wanted = limit.rlim_max < (rlim_t)most ? limit.rlim_max : (rlim_t)most;
    if (limit.rlim_cur >= wanted) return (long)(limit.rlim_cur < (rlim_t)most ? limit.rlim_cur : (rlim_t)most);
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)wanted : -1;
}
