internal import Core

/// Options of an engine that somebody may set for a model: a list of those that neither name files nor decide what the
/// runner itself must know, such as where the engine listens.
package struct RuntimeFlags: Sendable {
    private let allowed: Set<Substring>

    /// - Parameter names: separated by white space, as they are written on a command line.
    init(_ names: String) { allowed = Set(names.split(whereSeparator: \.isWhitespace)) }

    /// Nothing is allowed where nothing is known.
    package static let none = RuntimeFlags("")

    static let maximumLength = 4096

    /// Checks words as they would stand on the command line.
    ///
    /// - Throws: `.invalidArgument`, naming the word.
    package func check(_ words: [String]) throws {
        var isFirst = true
        for word in words {
            let shown = JSON.quoted(String(word.prefix(60)))
            guard word.utf8.count <= Self.maximumLength, !word.utf8.contains(0) else {
                throw Failure(.invalidArgument, "the runtime flag \(shown) is too long")
            }
            guard !word.contains("/"), !word.contains("\\") else {
                throw Failure(
                    .invalidArgument, "the runtime flag \(shown) looks like a path",
                    advice: "Files are chosen by the model, not by flags.")
            }
            if word.hasPrefix("-"), Double(word) == nil {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard allowed.contains(parts[0]) else {
                    throw Failure(
                        .invalidArgument, "the runtime flag \(JSON.quoted(String(parts[0].prefix(60)))) is not allowed",
                        advice: "Allowed are those about speed, memory and sampling; none that name files or addresses."
                    )
                }
                if parts.count > 1, parts[1].hasPrefix("-"), Double(parts[1]) == nil {
                    throw Failure(.invalidArgument, "the runtime flag \(shown) has another flag for a value")
                }
            } else if isFirst {
                throw Failure(.invalidArgument, "the runtime flags begin with \(shown), which is no flag")
            }
            isFirst = false
        }
    }

    /// llama.cpp's. Not among them, though Docker's runner has them: `--api-key` and `--api-prefix`, with which the
    /// runner could no longer ask the engine, and `--context-shift`, which cuts conversations without a word.
    package static let llama = RuntimeFlags(
        """
        -t --threads -tb --threads-batch -C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll
        -Cb --cpu-mask-batch -Crb --cpu-range-batch --cpu-strict-batch --prio-batch --poll-batch
        -c --ctx-size -n --predict --n-predict --keep -b --batch-size -ub --ubatch-size
        -fa --flash-attn --swa-full --perf --no-perf
        --samplers -s --seed --sampling-seq --sampler-seq --ignore-eos --temp --temperature --top-k --top-p --min-p
        --top-nsigma --top-n-sigma --xtc-probability --xtc-threshold --typical --typical-p --repeat-last-n
        --repeat-penalty --presence-penalty --frequency-penalty --dry-multiplier --dry-base --dry-allowed-length
        --dry-penalty-last-n --dry-sequence-breaker --dynatemp-range --dynatemp-exp --mirostat --mirostat-lr
        --mirostat-ent -l --logit-bias --adaptive-target --adaptive-decay
        -dev --device -ngl --gpu-layers --n-gpu-layers -sm --split-mode -ts --tensor-split -mg --main-gpu
        -fit --fit -fitt --fit-target -fitc --fit-ctx
        -ctk --cache-type-k -ctv --cache-type-v -kvo --kv-offload -nkvo --no-kv-offload --mlock --mmap --no-mmap
        -dio --direct-io -ndio --no-direct-io -cram --cache-ram -kvu --kv-unified -no-kvu --no-kv-unified
        --no-context-shift --repack -nr --no-repack --no-host
        --rope-scaling --rope-scale --rope-freq-base --rope-freq-scale --yarn-orig-ctx --yarn-ext-factor
        --yarn-attn-factor --yarn-beta-slow --yarn-beta-fast
        -np --parallel -cb --cont-batching -nocb --no-cont-batching --warmup --no-warmup -to --timeout --threads-http
        --cache-prompt --no-cache-prompt --cache-reuse --sleep-idle-seconds
        --mmproj-auto --no-mmproj-auto --mmproj-offload --no-mmproj-offload --image-min-tokens --image-max-tokens
        --spec-draft-n-max --spec-draft-n-min --spec-draft-p-min --spec-draft-p-split --draft-max --draft-min
        --draft-p-min --draft-p-split --draft --draft-n -cd --ctx-size-draft -ngld --gpu-layers-draft
        --n-gpu-layers-draft -devd --device-draft -ctkd --cache-type-k-draft -ctvd --cache-type-v-draft
        -td --threads-draft -tbd --threads-batch-draft --spec-type --spec-ngram-size-n --spec-ngram-size-m
        --spec-ngram-min-hits --spec-ngram-check-rate --lora-init-without-apply
        --grammar -j --json-schema --chat-template --chat-template-kwargs --jinja --no-jinja --pooling
        --reasoning-format --reasoning-budget --prefill-assistant --no-prefill-assistant
        --webui --no-webui --metrics --props --slots --no-slots --embedding --embeddings --rerank --reranking
        -sps --slot-prompt-similarity -cmoe --cpu-moe -ncmoe --n-cpu-moe --check-tensors
        --op-offload --no-op-offload -v --verbose --log-verbose
        """)

    package static let vllm = RuntimeFlags(
        """
        -tp --tensor-parallel-size -pp --pipeline-parallel-size --max-model-len --max-num-batched-tokens --max-num-seqs
        --block-size --swap-space --seed --dtype --quantization -q --kv-cache-dtype --enforce-eager
        --enable-prefix-caching --no-enable-prefix-caching --enable-chunked-prefill --no-enable-chunked-prefill
        --disable-custom-all-reduce --use-v2-block-manager --tokenizer-mode --max-logprobs --revision --load-format
        --disable-log-stats --gpu-memory-utilization
        """)
}
