internal import MCP
internal import SystemPackage

// stdout carries the protocol; what goes wrong is told on stderr by the exit status alone.
let server = ToolServer(name: "demo-tools", version: "1.0.0", tools: DemoTools(root: "/data").entries)
try? await Peer.serve(over: StdioTransport(), handler: server)
