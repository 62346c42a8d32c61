package import Core
internal import Crypto
internal import NIOCore

/// A key for the model runner's API, of which only a hash is kept.
package struct APIKey: Sendable, Hashable {
    package let name: String
    /// SHA-256 of the key, which is random enough to need nothing slower.
    let hash: [UInt8]
    /// The models it may ask; nil: all.
    package let models: [String]?
    package let requestsPerMinute: Int?

    package static let maximumName = 64

    package init(name: String, secret: String, models: [String]?, requestsPerMinute: Int?) {
        self.init(name: name, hash: Self.hash(of: secret), models: models, requestsPerMinute: requestsPerMinute)
    }

    private init(name: String, hash: [UInt8], models: [String]?, requestsPerMinute: Int?) {
        self.name = name
        self.hash = hash
        self.models = models
        self.requestsPerMinute = requestsPerMinute
    }

    /// Reads an entry of the keys' file: a `name`, the `key` or its `sha256` in hex, perhaps `models` and
    /// `requests_per_minute`.
    package init(parsing json: JSON) throws {
        guard let name = json["name"]?.string, !name.isEmpty, name.utf8.count <= Self.maximumName else {
            throw Failure(.corrupted, "a key has no name")
        }
        let hash: [UInt8]
        if let hex = json["sha256"]?.string, let bytes = Self.bytes(ofHex: hex) {
            hash = bytes
        } else if let secret = json["key"]?.string, secret.utf8.count >= 16 {
            hash = Self.hash(of: secret)
        } else {
            throw Failure(
                .corrupted, "the key \"\(name)\" has neither a sha256 of 64 digits nor a key of 16 characters or more")
        }
        var models: [String]?
        if let given = json["models"], !given.isNull {
            guard let names = given.array?.map(\.string), names.allSatisfy({ $0 != nil }) else {
                throw Failure(.corrupted, "models of the key \"\(name)\" is no list of names")
            }
            models = names.compactMap { $0 }
        }
        var rate: Int?
        if let given = json["requests_per_minute"], !given.isNull {
            guard let number = given.int, number > 0 else {
                throw Failure(.corrupted, "requests_per_minute of the key \"\(name)\" is no number above 0")
            }
            rate = number
        }
        self.init(name: name, hash: hash, models: models, requestsPerMinute: rate)
    }

    package var json: JSON {
        var object = JSON.Object([
            ("name", .string(name)),
            ("sha256", .string(hash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())),
        ])
        if let models { object["models"] = .array(models.map { .string($0) }) }
        if let requestsPerMinute { object["requests_per_minute"] = .int(requestsPerMinute) }
        return .object(object)
    }

    func matches(_ presented: [UInt8]) -> Bool {
        guard presented.count == hash.count else { return false }
        return zip(presented, hash).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    static func hash(of secret: String) -> [UInt8] { Array(SHA256.hash(data: Array(secret.utf8))) }

    /// A new key: 192 random bits.
    package static func makeSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
        return "wharf-" + String((0..<32).map { _ in letters[Int.random(in: 0..<64, using: &generator)] })
    }

    private static func bytes(ofHex text: String) -> [UInt8]? {
        guard text.utf8.count == 64, text.allSatisfy(\.isHexDigit) else { return nil }
        let digits = Array(text)
        return stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
    }
}
