#if canImport(Darwin)
    internal import Darwin

    extension POSIX {
        /// Bytes that the machine has, and bytes of them that are free or go when they must.
        static var memory: (total: Int64, available: Int64)? {
            var total: UInt64 = 0
            var size = MemoryLayout<UInt64>.size
            guard sysctlbyname("hw.memsize", &total, &size, nil, 0) == 0 else { return nil }
            var pages = vm_statistics64()
            var count = mach_msg_type_number_t(MemoryLayout<vm_statistics64>.size / MemoryLayout<integer_t>.size)
            let result = withUnsafeMutablePointer(to: &pages) { pointer in
                pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                    host_statistics64(mach_host_self(), HOST_VM_INFO64, $0, &count)
                }
            }
            guard result == KERN_SUCCESS else { return nil }
            let free = Int64(pages.free_count) + Int64(pages.inactive_count) + Int64(pages.purgeable_count)
            return (Int64(clamping: total), free * Int64(getpagesize()))
        }

        /// The most memory that a process has taken so far.
        static func peakMemory(of process: Int32) -> Int64? {
            var usage = rusage_info_v4()
            let result = withUnsafeMutablePointer(to: &usage) { pointer in
                pointer.withMemoryRebound(to: rusage_info_t?.self, capacity: 1) {
                    proc_pid_rusage(process, RUSAGE_INFO_V4, $0)
                }
            }
            return result == 0 ? Int64(clamping: usage.ri_lifetime_max_phys_footprint) : nil
        }
    }
#endif
