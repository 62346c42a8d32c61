package import NIOCore

/// Writes GGUF heads by hand, wrong ones too.
package struct GGUFWriter {
    package var bytes = ByteBuffer()

    package init(version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0) {
        bytes.writeString("GGUF")
        number(version)
        number(tensors)
        number(values)
    }

    package mutating func number(_ value: some FixedWidthInteger) { bytes.writeInteger(value, endianness: .little) }

    package mutating func text(_ text: String) {
        number(UInt64(text.utf8.count))
        bytes.writeString(text)
    }

    package mutating func value(_ key: String, _ text: String) {
        self.text(key)
        number(UInt32(8))
        self.text(text)
    }

    package mutating func value(_ key: String, _ value: UInt32) {
        text(key)
        number(UInt32(4))
        number(value)
    }

    package mutating func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        text(name)
        number(UInt32(dimensions.count))
        for dimension in dimensions { number(dimension) }
        number(type)
        number(offset)
    }
}
