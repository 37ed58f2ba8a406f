#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "base/transport.h"
#include "dtls/endpoint.h"
#include "media/packet.h"
#include "media/packet_sink.h"
#include "sfu/node.h"
#include "signalling/hub.h"
#include "sim/checker.h"
#include "sim/clock.h"
#include "sim/stream_side.h"

namespace parley::sim {

/// What a server process does to the world around it.
class ServerHost {
public:
    virtual ~ServerHost() = default;
    virtual void send_datagram(std::size_t worker, const Path& to, ByteView datagram) = 0;
    /// Neither forwarded nor understood.
    virtual void refuse_datagram(const Path& from, ByteView datagram) = 0;
    virtual void send_text(signalling::SessionId session, std::string text) = 0;
    virtual void close_session(signalling::SessionId session, std::uint16_t code) = 0;
    /// Wants `Server::wake` at this time of the world.
    virtual void wake_at(Instant at) = 0;
    /// May change, drop or add commands: how the tests prove that the checkers see it.
    virtual void handle_command(signalling::ToWorker command,
                                std::vector<signalling::ToWorker>& out) = 0;
    /// A player was allowed to have these; may change them, for the same reason.
    virtual void handle_play(std::vector<gateway::PlayTrack>& tracks) = 0;
    /// A stream has ended at its worker. False: control is not told.
    virtual bool handle_stream_closed() = 0;
};

/// One process: the real room control over real media workers, driven as the shell drives them,
/// with mailboxes that take their time. All times that come in are the world's; the cores see the
/// process's own clock.
class Server {
public:
    struct Config {
        std::uint64_t seed = 0;
        std::size_t workers = 1;
        NodeClock clock;
        WallTime wall_start;
        signalling::HubConfig hub;
    };
    static constexpr std::uint16_t kFirstPort = 7'700;
    static constexpr std::string_view kAccessKey = "the key that survives restarts";
    /// Of the app that mini programs' room tokens are signed for.
    static constexpr std::string_view kAppKey = "ak";
    static constexpr std::string_view kAppSecret = "secret";
    static constexpr std::size_t kMaxSlabs = 32'768;

    Server(const Config& config, ServerHost& host, Checker& checker, Instant now);

    void handle_datagram(Instant now, std::size_t worker, const Path& from, ByteView datagram);
    void handle_open(Instant now, signalling::SessionId session);
    void handle_text(Instant now, signalling::SessionId session, std::string_view text);
    void handle_closed(Instant now, signalling::SessionId session);
    void handle_backlog(Instant now, signalling::SessionId session, std::size_t pending);
    // RTMP connections.
    void open_stream(Instant now, StreamSide::Id id);
    void cut_stream(Instant now, StreamSide::Id id);
    [[nodiscard]] bool has_stream(StreamSide::Id id) const { return streams_.has(id); }
    [[nodiscard]] std::size_t stream_budget(StreamSide::Id id) const { return streams_.budget(id); }
    void handle_stream(Instant now, StreamSide::Id id, ByteView bytes);
    Bytes take_from_stream(Instant now, StreamSide::Id id, std::size_t size);
    [[nodiscard]] const StreamSide& streams() const { return streams_; }
    void sabotage_streams(const StreamSide::Breaches& breaches) { streams_.set_breaches(breaches); }

    void wake(Instant now);
    void begin_drain(Instant now);
    /// The process ends: goodbye to every peer.
    void stop(Instant now);

    void leap_clock(Duration by) { clock_.leap(by); }
    void leap_wall(Duration by) { wall_start_ += by; }

    [[nodiscard]] const signalling::Hub& hub() const { return *hub_; }
    [[nodiscard]] sfu::MediaCounters counters() const;
    [[nodiscard]] std::size_t packets_in_use() const;
    [[nodiscard]] std::size_t workers() const { return workers_.size(); }
    /// For the test of the checker that watches deadlines.
    void sabotage_deadlines() { sabotaged_deadlines_ = true; }

private:
    class Sink final : public media::PacketSink {
    public:
        Sink(std::size_t worker, ServerHost& host) : worker_(worker), host_(host) {}
        std::uint8_t* reserve(std::size_t size) override;
        void commit(const Path& to, std::size_t size, std::size_t segment_size, Instant) override;

    private:
        std::size_t worker_;
        ServerHost& host_;
        Bytes memory_;
    };
    struct Arrived {
        Path from;
        Instant at;
        Bytes bytes;
    };
    struct Worker {
        Worker(std::size_t index, ServerHost& host, dtls::Factory& dtls, Rng rng)
            : sink(index, host), pool(kMaxSlabs), node(dtls, pool, rng) {}
        Sink sink;
        media::PacketPool pool;
        sfu::Node node;
        std::vector<sfu::MediaEvent> events;
        std::vector<Arrived> inbox;
        std::vector<sfu::MediaCommand> mailbox;
        std::optional<Instant> turn_at;
    };
    struct ToHub {
        Instant at;
        WorkerId worker;
        sfu::MediaEvent event;
    };

    StreamSide::Control stream_control();
    StreamSide::Verdict judge(StreamId stream,
                              bool publishes,
                              const signalling::StreamAddress& address);
    void plan_turn(Worker& worker, Instant now);
    void turn(Instant now, Worker& worker, WorkerId id);
    void deliver(Instant now);
    void check_deadline(std::optional<Instant> next, Instant local);
    void arm(Instant now);
    [[nodiscard]] WallTime wall(Instant now) const { return wall_start_ + now.time_since_epoch(); }

    ServerHost& host_;
    Checker& checker_;
    Rng rng_;
    NodeClock clock_;
    WallTime wall_start_;
    SeededSecretSource secrets_;
    std::unique_ptr<dtls::Factory> dtls_;
    std::unique_ptr<signalling::AppLookup> apps_;
    std::unique_ptr<signalling::Hub> hub_;
    signalling::Outputs out_;
    std::vector<std::unique_ptr<Worker>> workers_;
    StreamSide streams_;  ///< after the nodes that it taps
    std::vector<ToHub> to_hub_;
    std::optional<Instant> armed_;
    Instant local_now_{};  ///< of the call in hand
    bool sabotaged_deadlines_ = false;
};

}  // namespace parley::sim
