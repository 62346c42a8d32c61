import Inference
import NIOCore
import OCI
import SystemPackage
import Testing

@testable import RunnerAPI

@Suite struct LoadPlansTests {
    private static let load = Load(backend: "llama.cpp", modelID: "m", modelName: "m", files: .init(weights: "/m"))
    private static let now = LoadPlans.Revision(store: 1, configurations: 1)

    private static func wish(context: Int? = nil, mode: Load.Mode? = .completion) -> LoadPlans.Wish {
        .init(
            modelID: .sha256(of: ByteBuffer()), mode: mode, backend: nil, overrides: LoadOverrides(contextSize: context)
        )
    }

    @Test func oneWishIsPlannedOnce() {
        let plans = LoadPlans()
        plans.keep(Self.load, Self.wish(), Self.now)
        #expect(plans.load(Self.wish(), Self.now) == Self.load)
        #expect(plans.load(Self.wish(context: 5), Self.now) == nil)
        #expect(plans.load(Self.wish(mode: nil), Self.now) == nil)
    }

    @Test(arguments: [
        LoadPlans.Revision(store: 2, configurations: 1), LoadPlans.Revision(store: 1, configurations: 2),
    ])
    func changesEndAllPlans(later: LoadPlans.Revision) {
        let plans = LoadPlans()
        plans.keep(Self.load, Self.wish(), Self.now)
        #expect(plans.load(Self.wish(), later) == nil)
        plans.keep(Self.load, Self.wish(context: 5), later)
        #expect(plans.load(Self.wish(), later) == nil && plans.load(Self.wish(context: 5), later) != nil)
    }

    /// Clients choose the wishes; not all of them are kept.
    @Test func plansAreBounded() {
        let plans = LoadPlans()
        for context in 0..<1000 { plans.keep(Self.load, Self.wish(context: context), Self.now) }
        let known = (0..<1000).count { plans.load(Self.wish(context: $0), Self.now) != nil }
        #expect((1...256).contains(known))
    }
}
