internal import Synchronization

/// A value that may be exchanged while others use it.
package final class Current<Value: Sendable>: Sendable {
    private let state: Mutex<Value>

    package init(_ value: Value) { state = Mutex(value) }

    package var value: Value { state.withLock { $0 } }

    package func replace(_ value: Value) { state.withLock { $0 = value } }
}
