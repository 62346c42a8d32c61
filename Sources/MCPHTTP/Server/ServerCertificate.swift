internal import Core
internal import NIOCore
internal import NIOSSL
package import SystemPackage

/// What a gateway shows for itself where connections are encrypted.
package struct ServerCertificate: Sendable {
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey

    /// - Parameters:
    ///   - chain: a PEM file, the gateway's own certificate first.
    ///   - key: a PEM file, without a passphrase.
    /// - Throws: `.notFound`, or `.invalidArgument` saying which file is wrong.
    package init(chain: FilePath, key: FilePath) throws {
        let (certificates, secret) = (try Files.read(chain, limit: 1 << 20), try Files.read(key, limit: 1 << 20))
        do { self.chain = try NIOSSLCertificate.fromPEMBytes(Array(certificates.readableBytesView)) } catch {
            throw Failure(.invalidArgument, "\(chain) has no certificate in the PEM format")
        }
        do { self.key = try NIOSSLPrivateKey(bytes: Array(secret.readableBytesView), format: .pem) } catch {
            throw Failure(
                .invalidArgument, "\(key) has no private key in the PEM format, or one with a passphrase")
        }
        // A key of another certificate would be noticed by the first client only.
        do { _ = try NIOSSLContext(configuration: configuration) } catch {
            throw Failure(.invalidArgument, "the key in \(key) does not belong to the certificate in \(chain)")
        }
    }

    /// How to speak TLS with whatever certificate is the present one when somebody connects.
    static func configuration(_ current: @escaping @Sendable () -> ServerCertificate) -> TLSConfiguration {
        var configuration = current().configuration
        configuration.sslContextCallback = { _, promise in
            let certificate = current()
            var override = NIOSSLContextConfigurationOverride.noChanges
            override.certificateChain = certificate.chain.map { .certificate($0) }
            override.privateKey = .privateKey(certificate.key)
            promise.succeed(override)
        }
        return configuration
    }

    var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        return configuration
    }
}
