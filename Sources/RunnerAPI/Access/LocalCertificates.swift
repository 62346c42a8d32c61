internal import Core
internal import Crypto
internal import Foundation
internal import NIOCore
internal import SwiftASN1
package import SystemPackage
internal import X509

/// A certificate authority of this machine's own and the server's certificate that it signs, made when they are missing.
///
/// Clients trust `ca.pem`; nothing else is signed with it.
package struct LocalCertificates: Sendable {
    package let folder: FilePath

    package init(_ folder: FilePath) { self.folder = folder }

    package var authority: FilePath { folder.appending("ca.pem") }
    package var certificate: FilePath { folder.appending("server.pem") }
    package var key: FilePath { folder.appending("server-key.pem") }
    private var authorityKey: FilePath { folder.appending("ca-key.pem") }

    private static let day = 86_400.0
    /// Days before its end that a certificate is replaced.
    private static let margin = 30.0
    private static let maximumFile = 64 << 10

    /// Makes what is missing, ends soon, or lacks a name.
    ///
    /// - Parameter names: host names and addresses that the server is reached by.
    package func prepare(for names: [String]) throws { try prepare(for: names, now: Date()) }

    func prepare(for names: [String], now: Date) throws {
        do {
            try Files.makeDirectory(folder, mode: 0o700)
            let (authority, signer) = try existingAuthority(now) ?? makeAuthority(now)
            if try isCurrent(certificate, for: names, from: authority, now) { return }
            let key = P256.Signing.PrivateKey()
            let server = try Certificate(
                version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: now - 60,
                notValidAfter: now + 365 * Self.day, issuer: authority.subject,
                subject: DistinguishedName { CommonName("wharf model runner") }, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth])
                    SubjectAlternativeNames(names.map(Self.name))
                }, issuerPrivateKey: .init(signer))
            try write(key.pemRepresentation + "\n", to: self.key)
            try write(server.serializeAsPEM().pemString + "\n", to: certificate)
        } catch let failure as Failure { throw failure } catch {
            throw Failure(.internalError, "cannot make certificates in \(folder)", cause: error)
        }
    }

    private func makeAuthority(_ now: Date) throws -> (Certificate, P256.Signing.PrivateKey) {
        let key = P256.Signing.PrivateKey()
        let name = try DistinguishedName { CommonName("wharf local authority") }
        let authority = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: .init(key.publicKey), notValidBefore: now - 60,
            notValidAfter: now + 3650 * Self.day, issuer: name, subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
            }, issuerPrivateKey: .init(key))
        try write(key.pemRepresentation + "\n", to: authorityKey)
        try write(authority.serializeAsPEM().pemString + "\n", to: self.authority)
        return (authority, key)
    }

    private func existingAuthority(_ now: Date) throws -> (Certificate, P256.Signing.PrivateKey)? {
        guard Files.exists(authority), Files.exists(authorityKey) else { return nil }
        let certificate = try Certificate(pemEncoded: text(of: authority))
        guard certificate.notValidAfter > now + Self.margin * Self.day else { return nil }
        return (certificate, try P256.Signing.PrivateKey(pemRepresentation: text(of: authorityKey)))
    }

    private func isCurrent(
        _ path: FilePath, for names: [String], from authority: Certificate, _ now: Date
    ) throws -> Bool {
        guard Files.exists(path), Files.exists(key), let found = try? Certificate(pemEncoded: text(of: path)) else {
            return false
        }
        let known = try found.extensions.subjectAlternativeNames.map { Set($0) } ?? []
        return found.notValidAfter > now + Self.margin * Self.day && Set(names.map(Self.name)).isSubset(of: known)
            && authority.publicKey.isValidSignature(found.signature, for: found)
    }

    private static func name(_ text: String) -> GeneralName {
        IPAddress(text).map { .ipAddress(ASN1OctetString(contentBytes: ArraySlice($0.bytes))) } ?? .dnsName(text)
    }

    private func text(of path: FilePath) throws -> String {
        String(buffer: try Files.read(path, limit: Self.maximumFile))
    }

    private func write(_ text: String, to path: FilePath) throws {
        try Files.write(ByteBuffer(string: text), to: path, mode: 0o600)
    }
}
