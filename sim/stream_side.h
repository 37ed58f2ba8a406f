#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "gateway/gateway.h"
#include "rtmp/server_connection.h"
#include "signalling/streams.h"

namespace parley::sim {

/// Codecs that take a little time and change nothing but the wrapping.
class SimCodecs final : public gateway::Conversions {
public:
    explicit SimCodecs(Rng rng) : rng_(rng) {}
    void set_time(Instant now) { now_ = now; }
    [[nodiscard]] std::optional<Instant> next_due() const;
    std::vector<gateway::ConversionResult> take_due(Instant now);
    [[nodiscard]] std::size_t open_count() const { return kinds_.size(); }

    [[nodiscard]] bool open(gateway::ConversionId id, gateway::ConversionKind kind) override;
    void submit(gateway::ConversionId id, gateway::ConversionInput input) override;
    void close(gateway::ConversionId id) override;

private:
    struct Kind {
        bool to_opus = false;
        bool has_told = false;
    };
    struct Job {
        Instant due;
        gateway::ConversionResult result;
    };
    Rng rng_;
    Instant now_{};
    std::map<gateway::ConversionId, Kind> kinds_;
    std::vector<Job> jobs_;  ///< in the order of their times
};

/// The RTMP connections of a process: real protocol, real gateways, no sockets. What the shell does
/// with sockets and mailboxes (`server/stream_port`, `server/control`) is done here with a clock.
class StreamSide {
public:
    using Id = std::uint64_t;

    struct Verdict {
        std::optional<std::size_t> worker;  ///< empty: refused
        const char* reason = "";
        std::vector<gateway::PlayTrack> tracks;
    };
    struct Control {
        std::function<Verdict(StreamId, bool publishes, const signalling::StreamAddress&)> judge;
        std::function<void(StreamId, const std::vector<sfu::MediaKind>&)> found;
        std::function<void(StreamId)> closed;
    };
    /// Breaches, for the tests of the checkers.
    struct Breaches {
        bool one_stalls_all = false;
        bool repeats_played = false;
        bool loses_played = false;
        bool loses_pushed = false;
    };

    StreamSide(Rng rng, Control control) : rng_(rng), control_(std::move(control)) {}

    void add_worker(sfu::Node& node, media::PacketPool& pool);
    void set_breaches(const Breaches& breaches) { breaches_ = breaches; }

    void open(Instant now, Id id);
    /// The other end is gone.
    void cut(Id id);
    [[nodiscard]] bool has(Id id) const { return connections_.contains(id); }
    [[nodiscard]] std::size_t worker_of(Id id) const;
    [[nodiscard]] std::size_t budget(Id id) const;
    void input(Instant now, Id id, ByteView bytes, sfu::NodeOutputs& out);
    /// Up to `size` bytes for the other end.
    Bytes output(Instant now, Id id, std::size_t size);
    void handle_track(std::size_t worker, const sfu::AddLocalTrack& track) {
        workers_[worker].gateway->handle_track(track);
    }
    void end(Instant now, const signalling::EndStream& ended);
    /// After the node's turn.
    void turn(Instant now, std::size_t worker, NtpTime ntp, sfu::NodeOutputs& out);

    [[nodiscard]] std::optional<Instant> next_deadline(std::size_t worker) const;
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    [[nodiscard]] gateway::GatewayCounters counters() const;
    [[nodiscard]] std::size_t open_codecs() const;

private:
    /// As the shell has it: more waits in the player's queue, which knows what to drop.
    static constexpr std::size_t kMaxUnsent = 64 * 1'024;

    struct Connection {
        explicit Connection(rtmp::ServerConnection made) : core(std::move(made)) {}
        rtmp::ServerConnection core;
        rtmp::Outputs out;
        rtmp::MessageStreamId wire_stream;
        StreamId stream;
        std::size_t worker = 0;
        bool publishes = false;
        bool plays = false;
        bool closing = false;
        std::uint64_t messages = 0;
    };
    struct Worker {
        std::unique_ptr<SimCodecs> codecs;
        std::unique_ptr<gateway::Gateway> gateway;
        gateway::GatewayOutputs outputs;
        std::vector<sfu::Node::Tapped> tapped;
        sfu::Node* node = nullptr;
        NtpTime ntp;
    };

    void process(Instant now, Id id, sfu::NodeOutputs& out);
    void ask(Instant now,
             Connection& connection,
             rtmp::MessageStreamId wire_stream,
             bool publishes,
             std::string_view app,
             std::string_view tc_url,
             std::string_view name);
    void feed(Instant now, Connection& connection);
    void stop(Connection& connection, bool tell);
    void close(Instant now, Connection& connection, std::string_view reason);
    [[nodiscard]] bool is_held_up() const;

    Rng rng_;
    Control control_;
    Breaches breaches_;
    std::vector<Worker> workers_;
    std::map<Id, Connection> connections_;
    std::uint64_t last_stream_ = 0;
};

}  // namespace parley::sim
