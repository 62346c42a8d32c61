package import Core

/// How grave a log message is, after syslog.
package enum LogLevel: String, Sendable, Hashable, CaseIterable, Comparable {
    case debug, info, notice, warning, error, critical, alert, emergency

    package static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    package static func < (a: LogLevel, b: LogLevel) -> Bool {
        (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
    }

    /// The level of a `notifications/message`.
    package init?(of params: RawJSON?) {
        guard let level = params?["level"]?.string.flatMap(LogLevel.init(rawValue:)) else { return nil }
        self = level
    }
}
