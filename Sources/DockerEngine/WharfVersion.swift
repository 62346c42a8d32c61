/// The product's version. Compose passes options only to plugins of 1.0.6 and later.
package enum WharfVersion {
    package static let current = "v1.1.0"
}
