import Testing

/// Everything that runs with real parts, one test after the other: side by side, engines, containers and Python would
/// take the machine from each other, and from the product's own time limits.
@Suite(.serialized) enum Integration {}
