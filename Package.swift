// swift-tools-version: 6.1
import Foundation
import PackageDescription

/// `make fuzz` builds our own targets with instrumentation, in a folder of its own.
let isFuzzing = ProcessInfo.processInfo.environment["WHARF_FUZZ"] == "1"
let sanitizers = ["-sanitize=fuzzer,address"]

/// Every target of ours is built alike: strict, and without warnings where `CI` says so.
let swiftSettings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (ProcessInfo.processInfo.environment["CI"] == "true" ? [.unsafeFlags(["-warnings-as-errors"])] : [])
    + (isFuzzing ? [.unsafeFlags(sanitizers)] : [])

let asyncAlgorithms = Target.Dependency.product(name: "AsyncAlgorithms", package: "swift-async-algorithms")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let swiftASN1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

func library(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: swiftSettings)
}

/// The fuzzer; nobody else sees it.
let fuzzing: [Target] =
    isFuzzing
    ? [
        .target(name: "FuzzDriver", path: "Fuzz/Driver"),
        .executableTarget(
            name: "wharf-fuzz", dependencies: ["FuzzDriver", "ParserChecks", system], path: "Fuzz/Fuzzer",
            swiftSettings: swiftSettings,
            // The usual linker cannot read the instrumentation.
            linkerSettings: [.unsafeFlags(sanitizers + ["-use-ld=lld"])]),
    ] : []

let package = Package(
    name: "wharf",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "wharf", targets: ["wharf"]),
        .executable(name: "wharf-demo-tools", targets: ["wharf-demo-tools"]),
    ] + (isFuzzing ? [.executable(name: "wharf-fuzz", targets: ["wharf-fuzz"])] : []),
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // Bytes and values. No Foundation, so that a small stdio server stays small.
        .target(name: "CPlatform"),
        .systemLibrary(name: "CZlib"),
        library("Core", ["CPlatform", nioCore, nioPosix, system]),
        library("Terminal", ["Core", "CPlatform", system]),

        // Shared by both halves.
        library("DockerEngine", ["Core", asyncHTTPClient, crypto, nioCore, nioHTTP1, nioPosix, system]),
        library(
            "OCI",
            [
                "Core", "CZlib", asyncAlgorithms, asyncHTTPClient, crypto, nioCore, nioHTTP1, nioPosix, nioSSL,
                subprocess,
                system,
            ]),

        // Model Runner.
        library("Hub", ["Core", "OCI", asyncHTTPClient, crypto, nioCore, nioHTTP1]),
        library("ModelStore", ["Core", "Hub", "OCI", crypto, nioCore, nioPosix, system]),
        // Pure: JSON and bytes in, JSON and bytes out.
        library("JSONSchema", ["Core"]),
        library("Dialects", ["Core", "JSONSchema", nioCore]),
        library(
            "ParserChecks",
            ["Bridge", "Core", "Dialects", "JSONSchema", "MCP", "ModelStore", "OCI", nioCore, system]),
        library(
            "Inference",
            ["Core", "CPlatform", logging, nioCore, nioHTTP1, nioPosix, subprocess, system],
            resources: [.embedInCode("Resources/llama_server.py"), .embedInCode("Resources/backends.json")]),
        library(
            "RunnerAPI",
            [
                "Core", "Dialects", "Hub", "Inference", "ModelStore", "OCI", asyncAlgorithms,
                crypto, httpTypes, hummingbird, hummingbirdCore, hummingbirdTLS, logging, nioCore, nioHTTP1,
                nioHTTPTypes, nioPosix, nioSSL, serviceLifecycle, swiftASN1, system, x509,
            ]),

        // MCP Toolkit and Gateway.
        library("MCP", ["Core", nioCore, nioPosix, system]),
        library("Bridge", ["Core", "MCP", asyncAlgorithms, crypto, nioCore, system]),
        library(
            "MCPHTTP",
            [
                "Bridge", "Core", "MCP", "OCI", asyncAlgorithms, asyncHTTPClient, crypto, httpTypes, hummingbird,
                hummingbirdTLS,
                logging, nioCore, nioHTTP1, nioHTTPTypes, nioPosix, nioSSL, serviceLifecycle, system,
            ]),
        library("Toolkit", ["Core", nioCore, system, yams], resources: [.embedInCode("Resources/catalog.yaml")]),
        library(
            "Gateway",
            ["Bridge", "Core", "DockerEngine", "MCP", "MCPHTTP", "Toolkit", crypto, nioCore, nioPosix, system]),

        // What a person types.
        library(
            "Commands",
            ["Core", "DockerEngine", "Terminal", argumentParser, asyncHTTPClient, nioCore, system, unixSignals]),
        library(
            "ModelCommands",
            [
                "Commands", "Core", "CPlatform", "DockerEngine", "Gateway", "Hub", "Inference", "MCP", "ModelStore",
                "OCI", "RunnerAPI", "Terminal", "Toolkit", argumentParser, asyncHTTPClient, logging, nioCore, nioHTTP1,
                nioPosix,
                serviceLifecycle, system,
            ]),
        library(
            "MCPCommands",
            [
                "Bridge", "Commands", "Core", "DockerEngine", "Gateway", "MCP", "MCPHTTP", "Terminal", "Toolkit",
                argumentParser,
                asyncHTTPClient, logging, nioCore, unixSignals, system,
            ]),
        .executableTarget(
            name: "wharf",
            dependencies: [
                "Commands", "Core", "DockerEngine", "Inference", "MCPCommands", "ModelCommands", "Terminal", "Toolkit",
                argumentParser,
                logging, system,
            ], swiftSettings: swiftSettings),

        // The demonstration's MCP server: our own MCP module in a container built from nothing.
        .executableTarget(
            name: "wharf-demo-tools", dependencies: ["Core", "MCP", nioCore, system], swiftSettings: swiftSettings),

        .target(
            name: "TestSupport",
            dependencies: [
                "Core", "CZlib", "MCP", asyncAlgorithms, asyncHTTPClient, crypto, httpTypes, hummingbird, logging,
                nioCore, nioHTTP1, nioPosix,
                serviceLifecycle, subprocess, system,
            ], swiftSettings: swiftSettings),
        tests("CoreTests", ["Core", nioCore, system]),
        tests("TerminalTests", ["Terminal", "Core", system]),
        tests("DockerEngineTests", ["DockerEngine", "Core", asyncHTTPClient, crypto, nioCore, nioHTTP1, system]),
        tests("OCITests", ["OCI", "Core", asyncHTTPClient, crypto, nioCore, system]),
        tests("HubTests", ["Hub", "OCI", "Core", asyncHTTPClient, nioCore, system]),
        tests(
            "ModelStoreTests",
            ["ModelStore", "Hub", "OCI", "ParserChecks", "Core", asyncHTTPClient, crypto, nioCore, system]),
        tests("JSONSchemaTests", ["JSONSchema", "ParserChecks", "Core", system]),
        tests("DialectsTests", ["Dialects", "JSONSchema", "ParserChecks", "Core", nioCore, system]),
        tests("InferenceTests", ["Inference", "Core", logging, nioCore, nioHTTP1, nioPosix, system]),
        tests(
            "RunnerAPITests",
            [
                "RunnerAPI", "Dialects", "Hub", "Inference", "ModelStore", "OCI", "Core", asyncHTTPClient, httpTypes,
                hummingbird, logging, nioCore,
                nioHTTP1, nioPosix, system,
            ]),
        tests("MCPTests", ["MCP", "Core", nioCore, system]),
        tests("BridgeTests", ["Bridge", "ParserChecks", "MCP", "Core", asyncAlgorithms, crypto, nioCore, system]),
        tests(
            "MCPHTTPTests",
            [
                "Bridge", "MCPHTTP", "MCP", "OCI", "Core", asyncAlgorithms, asyncHTTPClient, logging, nioCore, nioHTTP1,
                nioPosix,
                nioSSL, subprocess, system,
            ]),
        tests("ToolkitTests", ["Toolkit", "Core", nioCore, system]),
        tests(
            "GatewayTests",
            ["Gateway", "DockerEngine", "MCP", "MCPHTTP", "OCI", "Toolkit", "Core", logging, nioCore, nioPosix, system]),
        tests(
            "CommandTests",
            [
                "Commands", "ModelCommands", "MCPCommands", "MCPHTTP", "DockerEngine", "Gateway", "MCP", "Terminal",
                "Toolkit", "Core", argumentParser, nioCore, system,
            ]),
        tests(
            "IntegrationTests",
            [
                "Core", "DockerEngine", "Gateway", "MCP", "ModelStore", "OCI", "Toolkit", asyncHTTPClient, nioCore,
                nioHTTP1, nioPosix, subprocess,
                system,
            ]),
    ] + fuzzing,
    swiftLanguageModes: [.v6]
)
