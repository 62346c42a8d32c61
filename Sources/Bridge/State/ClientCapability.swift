package import Core

/// What a client lets servers ask of it, whichever way they ask.
package enum ClientCapability {
    /// Whether a client with these capabilities may be asked this.
    package static func allows(_ method: String, _ params: RawJSON?, _ capabilities: RawJSON) -> Bool {
        missing(method, params, capabilities) == nil
    }

    /// What a client would have to declare to be asked this; nil when it has.
    package static func missing(_ method: String, _ params: RawJSON?, _ capabilities: RawJSON) -> JSON? {
        switch method {
        case "roots/list": return capabilities["roots"] == nil ? ["roots": [:]] : nil
        case "sampling/createMessage":
            guard let sampling = capabilities["sampling"] else { return ["sampling": [:]] }
            let wantsTools = params?["tools"] != nil || params?["toolChoice"] != nil
            return wantsTools && sampling["tools"] == nil ? ["sampling": ["tools": [:]]] : nil
        case "elicitation/create":
            guard let elicitation = capabilities["elicitation"] else {
                return ["elicitation": params?["mode"]?.string == "url" ? ["url": [:]] : [:]]
            }
            if params?["mode"]?.string == "url" {
                return elicitation["url"] == nil ? ["elicitation": ["url": [:]]] : nil
            }
            // Saying nothing of modes means forms.
            let isPlain = elicitation["form"] != nil || elicitation["url"] == nil
            return isPlain ? nil : ["elicitation": ["form": [:]]]
        default: return [:]
        }
    }
}
