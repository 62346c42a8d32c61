import Bridge
import Core
import MCP
import NIOCore
import Testing

@Suite struct EraProbeTests {
    /// What a server does, in a word each: D discovers modern, d discovers legacy only, e an error, u −32022 with a
    /// mutual version, x −32022 with unknown ones, I initializes, i refuses to, r refuses with −32022, t time passes.
    private static func result(_ text: String) throws -> RawJSON { try RawJSON(checking: ByteBuffer(string: text)) }

    private static func unsupported(_ versions: String) throws -> RPC.Error {
        RPC.Error(code: -32022, message: "no", data: try result(#"{"supported":[\#(versions)]}"#))
    }

    private func play(_ events: String, known: EraProbe.Verdict?) throws -> String {
        var probe = EraProbe(known: known)
        var log = ""
        func note(_ actions: [EraProbe.Action]) {
            for action in actions {
                switch action {
                case .discover: log += "d"
                case .initialize: log += "i"
                case .wait: log += "w"
                case .settle(.handshake, _): log += "H"
                case .settle(.modern, _): log += "M"
                case .fail: log += "F"
                }
            }
        }
        note(probe.start())
        for event in events {
            switch event {
            case "D":
                note(probe.discovered(.success(try Self.result(#"{"supportedVersions":["2025-11-25","2026-07-28"]}"#))))
            case "d": note(probe.discovered(.success(try Self.result(#"{"supportedVersions":["2025-11-25"]}"#))))
            case "e": note(probe.discovered(.failure(.methodNotFound("server/discover"))))
            case "u": note(probe.discovered(.failure(try Self.unsupported(#""2026-07-28""#))))
            case "x": note(probe.discovered(.failure(try Self.unsupported(#""2031-01-01""#))))
            case "I": note(probe.initialized(.success(try Self.result("{}"))))
            case "i": note(probe.initialized(.failure(.methodNotFound("initialize"))))
            case "r": note(probe.initialized(.failure(try Self.unsupported(#""2026-07-28""#))))
            default: note(probe.elapsed())
            }
        }
        return log
    }

    @Test(arguments: [
        ("D", "dwM"), ("eI", "dwiH"), ("dI", "dwiH"), ("tI", "dwiH"),
        // Slow to start: both questions are in its pipe, and the first one it answers counts.
        ("tD", "dwiM"), ("tDr", "dwiM"), ("teI", "dwiH"), ("trD", "dwiM"), ("tiD", "dwiM"), ("tie", "dwiF"),
        ("tei", "dwiF"), ("ei", "dwiF"), ("uD", "dwdM"), ("uuI", "dwdiH"), ("x", "dwF"), ("er", "dwid"),
        ("erD", "dwidM"),
        // Nothing counts once it is settled, and time passes only once.
        ("DIit", "dwM"), ("tItD", "dwiH"), ("ett", "dwi"),
    ])
    func asksAnUnknownServer(_ events: String, _ expected: String) throws {
        #expect(try play(events, known: nil) == expected)
    }

    @Test(arguments: [("I", "iH"), ("r", "id"), ("rD", "idM"), ("ie", "idF"), ("iD", "idM")])
    func believesThatItIsOld(_ events: String, _ expected: String) throws {
        #expect(try play(events, known: .handshake) == expected)
    }

    @Test(arguments: [("D", "dM"), ("eI", "diH"), ("uD", "ddM"), ("x", "dF"), ("tI", "diH")])
    func believesThatItIsModern(_ events: String, _ expected: String) throws {
        #expect(try play(events, known: .modern(.v20260728)) == expected)
    }
}
