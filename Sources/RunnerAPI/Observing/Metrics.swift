internal import Core
internal import Synchronization

/// What the daemon counts about itself, in Prometheus' sense: everything only grows, but for gauges that are asked for
/// when they are shown.
final class Metrics: Sendable {
    /// What requests and loads are told apart by.
    struct Labels: Hashable, Sendable {
        var backend: String
        var model: String
        var mode: String
    }

    private struct RequestKey: Hashable {
        let labels: Labels
        let status: Int
    }

    struct Histogram: Sendable {
        let bounds: [Double]
        private(set) var counts: [UInt64]
        private(set) var sum = 0.0

        init(_ bounds: [Double]) {
            self.bounds = bounds
            counts = Array(repeating: 0, count: bounds.count + 1)
        }

        mutating func observe(_ value: Double) {
            counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            sum += value
        }
    }

    private struct State {
        var requests: [RequestKey: UInt64] = [:]
        var tokens: [Labels: UInt64] = [:]
        var first: [Labels: Histogram] = [:]
        var rates: [Labels: Histogram] = [:]
        var waits: [Labels: Histogram] = [:]
    }

    /// Models come and go, and their names are the clients' to choose; beyond this many the rest is counted as one.
    private static let maximumModels = 200
    private static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
    private static let tokenRates = [1.0, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]

    private let state = Mutex(State())

    /// One answer that has ended.
    struct Outcome: Sendable {
        var labels: Labels
        /// What the client got; 499 where it left before.
        var status: Int
        /// Seconds it waited for its model; nil where it never got it.
        var wait: Double?
        /// Seconds to the first byte of a stream's body; nil for others.
        var first: Double?
        /// Tokens made, and the seconds it took from the first to the last.
        var tokens: Int?
        var decoding: Double?
    }

    func count(_ outcome: Outcome) {
        state.withLock { state in
            var labels = outcome.labels
            if state.tokens[labels] == nil {
                if state.tokens.count >= Self.maximumModels { labels.model = "(others)" }
                state.tokens[labels, default: 0] += 0
            }
            state.requests[RequestKey(labels: labels, status: outcome.status), default: 0] += 1
            if let wait = outcome.wait { state.waits[labels, default: Histogram(Self.seconds)].observe(wait) }
            if let first = outcome.first { state.first[labels, default: Histogram(Self.seconds)].observe(first) }
            guard let tokens = outcome.tokens else { return }
            state.tokens[labels, default: 0] += UInt64(max(tokens, 0))
            if let decoding = outcome.decoding, decoding > 0, tokens > 1 {
                state.rates[labels, default: Histogram(Self.tokenRates)].observe(Double(tokens - 1) / decoding)
            }
        }
    }

    /// Everything counted so far, as families of Prometheus' text format.
    func families() -> [MetricFamily] {
        let state = state.withLock { $0 }
        let requests = state.requests.map { key, count in
            MetricFamily.Sample(labels: key.labels.pairs + [("status", String(key.status))], value: String(count))
        }
        let tokens = state.tokens.map { MetricFamily.Sample(labels: $0.pairs, value: String($1)) }
        return [
            MetricFamily(
                name: "wharf_requests_total", help: "Inference requests that have ended, by status.", type: "counter",
                samples: requests),
            MetricFamily(
                name: "wharf_tokens_total", help: "Tokens that engines said they made.", type: "counter",
                samples: tokens),
            .histogram(
                "wharf_load_wait_seconds", "How long requests waited for their model.",
                state.waits.map { ($0.pairs, $1) }),
            .histogram(
                "wharf_time_to_first_token_seconds", "From the request to the first byte of a streamed answer.",
                state.first.map { ($0.pairs, $1) }),
            .histogram(
                "wharf_tokens_per_second", "How fast streamed answers came, from their first token to the last.",
                state.rates.map { ($0.pairs, $1) }),
        ]
    }
}

extension Metrics.Labels {
    var pairs: [(String, String)] { [("backend", backend), ("model", model), ("mode", mode)] }
}
