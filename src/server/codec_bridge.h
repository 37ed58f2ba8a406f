#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_map>

#include "codec/pool.h"
#include "gateway/conversions.h"

namespace parley::server {

/// The conversions of one worker on the codec pool. Results are handed to `deliver` on the pool's
/// threads.
class CodecBridge final : public gateway::Conversions {
public:
    using Deliver = std::function<void(gateway::ConversionResult)>;

    CodecBridge(codec::Pool& pool, Deliver deliver) : pool_(pool), deliver_(std::move(deliver)) {}
    ~CodecBridge() override;

    [[nodiscard]] bool open(gateway::ConversionId id, gateway::ConversionKind kind) override;
    void submit(gateway::ConversionId id, gateway::ConversionInput input) override;
    void close(gateway::ConversionId id) override;

    /// A codec with its state; used by one job at a time.
    class Work {
    public:
        virtual ~Work() = default;
        virtual void run(gateway::ConversionInput& input, gateway::ConversionResult& result) = 0;
    };

private:
    /// Bytes of one conversion that wait for the pool; a single input may be larger. What does not
    /// fit is left out, like what the pool's own queue has no room for.
    static constexpr std::size_t kMaxQueued = 4 << 20;

    struct Entry {
        codec::Pool::StreamId stream = 0;
        std::shared_ptr<Work> work;
        std::shared_ptr<std::atomic<std::size_t>> queued;  ///< bytes
    };

    codec::Pool& pool_;
    Deliver deliver_;
    std::unordered_map<gateway::ConversionId, Entry> entries_;
};

}  // namespace parley::server
