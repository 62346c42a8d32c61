package import Core
internal import NIOCore
package import SystemPackage

/// Where running gateways say what they are doing: a private folder with a file for each, written by the gateway and
/// removed at its end.
package struct StateFile: Sendable {
    private static let maximumSize = 8 << 20

    private let folder: FilePath
    private let path: FilePath

    /// The file of this process's gateway.
    init(folder: FilePath) {
        self.folder = folder
        path = folder.appending("\(POSIX.processID)-\(Files.unique()).json")
    }

    /// Exchanges the file's content in one step. Not synchronised: after a power cut nothing of it is true anyway.
    func write(_ report: JSON) throws {
        try Files.makeDirectory(folder, mode: 0o700)
        let next = path.appending(extension: "new")
        let file = try FileDescriptor.open(
            next, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
        try file.closeAfter { _ = try report.bytes.withUnsafeReadableBytes { try file.writeAll($0) } }
        try POSIX.rename(next, to: path)
    }

    func remove() { try? Files.remove(path) }

    /// What the gateways say that run; the files of those that were killed are removed.
    package static func reports(in folder: FilePath) -> [JSON] {
        guard let names = try? POSIX.list(folder) else { return [] }
        return names.filter { $0.hasSuffix(".json") }.compactMap { name in
            let path = folder.appending(name)
            guard let bytes = try? Files.read(path, limit: maximumSize), let report = try? JSON(parsing: bytes),
                let owner = report["process"]?.string, let process = ProcessIdentity(owner)
            else { return nil }
            if process.hasEnded {
                try? Files.remove(path)
                return nil
            }
            return report
        }
    }
}

extension FilePath {
    fileprivate func appending(extension name: String) -> FilePath { FilePath("\(string).\(name)") }
}

extension Paths {
    /// Where running gateways say what they are doing.
    package var gatewayStates: FilePath { mcp.appending("gateways") }
}
