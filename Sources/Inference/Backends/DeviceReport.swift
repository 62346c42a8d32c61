internal import Core
internal import SystemPackage

/// On what a chosen build computes, and, where that is the CPU, why.
struct DeviceReport {
    let builds: [(build: EngineBuilds.Build, devices: DeviceList?)]
    /// What of the system's own names for GPUs is there.
    let hardware: [String]
    /// Where another build would be found.
    let folder: String

    var text: String {
        guard let best = EngineBuilds.best(builds) else { return "" }
        guard let devices = best.devices else { return "" }
        if devices.rank != nil {
            let names = devices.devices.map { device in
                "\(device.name) (\(device.description), \(ByteCount(device.total).binary))"
            }
            return "on \(names.joined(separator: ", "))"
        }
        let names = builds.map(\.build.name).joined(separator: ", ")
        if hardware.isEmpty { return "on the CPU: the system shows no GPU" }
        return "on the CPU: there is a GPU (\(hardware.joined(separator: ", "))), but no build here can use it "
            + "(tried: \(names)); put a llama-server built for it into \(folder)/cuda, rocm or vulkan"
    }

    /// Device files that drivers make.
    private static let files = ["/dev/nvidia0", "/dev/kfd", "/dev/dri/renderD128", "/dev/dxg", "/dev/accel/accel0"]

    static var hardware: [String] { files.filter { Files.exists(.init($0)) } }
}
