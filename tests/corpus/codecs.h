#pragma once

#include <future>
#include <mutex>
#include <utility>
#include <vector>

#include "codec/pool.h"
#include "media/packet_sink.h"
#include "server/codec_bridge.h"

namespace parley::corpus {

/// The server's codecs, whose work is done when `submit` returns.
class Codecs final : public gateway::Conversions {
public:
    Codecs()
        : pool_({.threads = 1}), bridge_(pool_, [this](gateway::ConversionResult result) {
              const std::lock_guard lock(mutex_);
              results_.push_back(std::move(result));
          }) {
        barrier_ = pool_.open();
    }
    bool open(gateway::ConversionId id, gateway::ConversionKind kind) override {
        return bridge_.open(id, kind);
    }
    void submit(gateway::ConversionId id, gateway::ConversionInput input) override {
        bridge_.submit(id, std::move(input));
        // One thread takes the streams in turn: once it is here, that work is done.
        std::promise<void> done;
        std::future<void> waits = done.get_future();
        if (pool_.submit(barrier_, [&done] { done.set_value(); })) waits.wait();
    }
    void close(gateway::ConversionId id) override { bridge_.close(id); }
    std::vector<gateway::ConversionResult> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(results_, {});
    }

private:
    std::mutex mutex_;
    std::vector<gateway::ConversionResult> results_;
    codec::Pool pool_;
    server::CodecBridge bridge_;
    codec::Pool::StreamId barrier_ = 0;
};

class NoSink final : public media::PacketSink {
public:
    std::uint8_t* reserve(std::size_t size) override {
        memory_.resize(size);
        return memory_.data();
    }
    void commit(const Path&, std::size_t, std::size_t, Instant) override {}

private:
    Bytes memory_;
};

}  // namespace parley::corpus
