// What Swift cannot call by itself because it is variadic or a macro in the C library.
#ifndef WHARF_CPLATFORM_H
#define WHARF_CPLATFORM_H

#include <spawn.h>

/// Asks the kernel to send `signal` to this process when its parent dies. Kept across execve.
/// Returns 0, or -1 with errno set; ENOTSUP where the platform has no such request.
int wharf_set_parent_death_signal(int signal);

/// The flags for posix_spawnattr_setflags that start a new session and, where a flag can do it, close all descriptors
/// but those that the file actions name.
short wharf_spawn_daemon_flags(void);

/// Makes the process that is spawned start without any descriptor above 2, where no flag does it. To be added last.
/// Returns 0 or an error number.
int wharf_spawn_add_close_others(posix_spawn_file_actions_t *actions);

/// Asks the kernel to begin writing a part of a file to the disk, without waiting for it. A hint: failures are no harm,
/// and other platforms do nothing.
void wharf_start_writeback(int descriptor, long long offset, long long count);

/// Lets go of the program's own code and constants: what is still used comes back from the file, page by page. A hint,
/// like the one above.
void wharf_release_program_pages(void);

/// Lets this process have as many open files as it is allowed to, up to `most`; returns how many that are, or -1.
long wharf_raise_descriptor_limit(long most);

/// The terminal's width in columns, or 0 when `descriptor` is not a terminal.
int wharf_terminal_columns(int descriptor);

#endif
