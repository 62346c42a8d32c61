import Core
import NIOCore
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// Disks that are full or cannot be written, as small file systems in a mount namespace of their own.
    @Suite(
        .enabled("needs the right to mount") {
            guard RealParts.isThere, Files.exists("/usr/bin/unshare") else { return false }
            let probe = try? await Subprocess.run(
                .path("/usr/bin/unshare"), arguments: ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                output: .discarded,
                error: .discarded)
            return probe?.terminationStatus.isSuccess == true
        }, .timeLimit(.minutes(5)))
    struct StoreFaultTests {
        private func script(_ place: Workplace, _ text: String) async throws -> Workplace.Outcome {
            try Files.makeDirectory(place.folder.appending("disk"))
            return try await place.run(
                "/usr/bin/unshare", ["-m", "/bin/sh", "-c", text],
                [
                    "DISK": place.folder.appending("disk").string, "WHARF": RealParts.path("WHARF_BIN"),
                    "PEBBLE": RealParts.pebble.string, "MODELS_PATH": place.folder.appending("disk/models").string,
                    "PORT": "\(place.port)",
                ])
        }

        /// Every size from where nothing fits to where all does: the model is there, or nothing of it is.
        @Test func aFullDiskLeavesNothingBehind() async throws {
            try await Workplace.with { place in
                let outcome = try await script(
                    place,
                    """
                    size=4
                    while [ $size -le 1400 ]; do
                        mount -t tmpfs -o size=${size}k tmpfs "$DISK" || exit 3
                        said=$("$WHARF" model package --gguf "$PEBBLE" x 2>&1); code=$?
                        echo "$size|$code|$(cd "$DISK" && find . -type f ! -name .wharf.lock | sed 's/[0-9a-f]\\{64\\}/HEX/' |
                            sort | tr '\\n' ' ')|$said"
                        umount "$DISK"
                        if [ $size -lt 1190 ]; then size=$((size + 170)); else size=$((size + 4)); fi
                    done
                    """)
                try #require(outcome.status == 0, "\(outcome.text)")
                var (failed, worked) = (0, 0)
                for line in outcome.lines {
                    let parts = line.split(separator: "|", omittingEmptySubsequences: false)
                    let files = parts[2].split(separator: " ")
                    if parts[1] == "0" {
                        worked += 1
                        #expect(files.contains("./models/models.json") && files.count == 5, "\(line)")
                    } else {
                        failed += 1
                        #expect(!files.contains("./models/models.json"), "\(line)")
                        #expect(!files.contains { $0.hasSuffix(".incomplete") || $0.hasSuffix(".tmp") }, "\(line)")
                        #expect(parts[3].contains("No space left on device"), "\(line)")
                    }
                }
                #expect(failed > 5 && worked > 5, "\(outcome.text)")
            }
        }

        @Test func aReadOnlyStoreCanBeReadAndSaysSo() async throws {
            try await Workplace.with { place in
                let outcome = try await script(
                    place,
                    """
                    mount -t tmpfs tmpfs "$DISK" && "$WHARF" model package --gguf "$PEBBLE" x || exit 3
                    mount -o remount,ro "$DISK" || exit 3
                    "$WHARF" model package --gguf "$PEBBLE" --context-size 64 y; echo "package $?"
                    "$WHARF" serve --port $PORT 2>/dev/null & daemon=$!
                    until curl -sf http://127.0.0.1:$PORT/ >/dev/null; do sleep 0.05; kill -0 $daemon || exit 4; done
                    curl -s http://127.0.0.1:$PORT/models/x; echo
                    curl -s -X DELETE http://127.0.0.1:$PORT/models/x
                    curl -s -X POST "http://127.0.0.1:$PORT/models/prune"
                    curl -s -X DELETE "http://127.0.0.1:$PORT/models/purge"
                    curl -s http://127.0.0.1:$PORT/models | grep -c ai/x:latest
                    kill $daemon; wait $daemon; echo "daemon $?"
                    """)
                #expect(outcome.status == 0, "\(outcome.text)")
                let lines = outcome.lines
                #expect(
                    lines.contains("package 1") && lines.contains("daemon 0") && lines.contains("1"), "\(outcome.text)")
                let refused = (outcome.out + outcome.err).split(separator: "\n").filter {
                    $0.contains("Read-only file system")
                }
                #expect(refused.count == 4, "\(outcome.text)")
                #expect(lines.contains { $0.hasPrefix("{\"id\":\"sha256:") }, "\(outcome.text)")
            }
        }
    }
}
