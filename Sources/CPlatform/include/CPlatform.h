// What Swift cannot call by itself because it is variadic or a macro in the C library.
#ifndef WHARF_CPLATFORM_H
#define WHARF_CPLATFORM_H

/// Asks the kernel to send `signal` to this process when its parent dies. Kept across execve.
/// Returns 0, or -1 with errno set; ENOTSUP where the platform has no such request.
int wharf_set_parent_death_signal(int signal);

/// The flag for posix_spawnattr_setflags that starts a new session; 0 where there is none.
short wharf_spawn_setsid_flag(void);

/// The terminal's width in columns, or 0 when `descriptor` is not a terminal.
int wharf_terminal_columns(int descriptor);

#endif
