#pragma once

#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "gateway/gateway.h"
#include "rtmp/stream_parameters.h"
#include "server/stream_connection.h"
#include "server/stream_messages.h"

namespace parley::server {

struct StreamPortCounters {
    std::uint64_t connections = 0;  ///< now
    std::uint64_t accepted = 0;
    std::uint64_t refused_full = 0;  ///< closed at once: too many connections
    std::uint64_t timed_out = 0;     ///< handshake, connect or request did not come
    std::uint64_t malformed = 0;     ///< closed because of what the peer sent
    std::uint64_t rejected = 0;      ///< publish or play refused
    std::uint64_t tls_failed = 0;    ///< closed because of its TLS handshake
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    gateway::GatewayCounters gateway;
    sfu::DelayHistogram player_delay;  ///< media arrived here to written for a player
};

/// What control has to judge of a URL.
signalling::StreamAddress to_address(rtmp::StreamParameters parameters);

/// The RTMP connections and FLV players of one worker. It moves bytes between sockets and
/// `rtmp::ServerConnection` or `flv::StreamWriter`, media between those and the `gateway::Gateway`,
/// and questions to control. A player of FLV comes from control's HTTP server with its verdict.
class StreamPort {
public:
    /// Set in every epoll key of this class.
    static constexpr std::uint64_t kKeyFlag = std::uint64_t{1} << 63;
    static constexpr std::size_t kMaxConnections = 8'192;
    /// More than this waits in the player's queue, which knows what to drop.
    static constexpr std::size_t kMaxUnsent = 64 * 1024;
    /// Of streams that ended since reports were taken; further ones are not told.
    static constexpr std::size_t kMaxLastReports = 20'000;
    /// A connection that is to be closed gets this long to read the reason.
    static constexpr Duration kCloseLinger = 1s;

    /// TLS clients that nobody knows yet, from a whole ClientHello (45 KB during the handshake, 16
    /// KB after it) to the question to control. The others wait with their bytes in the kernel.
    static constexpr std::size_t kMaxTlsPlaces = 64;
    /// Who needs longer than this loses the place to one that waits.
    static constexpr Duration kTlsPlaceTime = 1500ms;
    /// TLS handshakes begun in 100 ms, because each costs a signature on the thread of the media.
    static constexpr int kMaxTlsStarts = 32;

    using Notify = std::function<void(StreamNotice)>;

    StreamPort(int epoll_fd, WorkerId worker, gateway::Gateway& gateway, Rng rng, Notify notify);
    ~StreamPort();
    StreamPort(const StreamPort&) = delete;
    StreamPort& operator=(const StreamPort&) = delete;

    /// Accepts from this socket, which other workers may share. Borrowed.
    bool watch_listener(int listener, StreamConnection::Tls tls);
    void use_certificate(std::shared_ptr<const io::TlsContext> tls) { tls_ = std::move(tls); }

    void handle_event(Instant now, std::uint64_t key, std::uint32_t events, sfu::NodeOutputs& out);
    void handle_verdict(Instant now, NtpTime ntp, StreamVerdict verdict, sfu::NodeOutputs& out);
    void handle_ended(Instant now, const StreamEnded& ended);
    /// What the gateway has for connections and control; clears it.
    void handle_gateway(Instant now, gateway::GatewayOutputs& outputs);
    void handle_timeout(Instant now, sfu::NodeOutputs& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return next_sweep_; }

    [[nodiscard]] gateway::GatewayOutputs& outputs() { return outputs_; }
    [[nodiscard]] StreamPortCounters counters() const;
    /// What each stream's owner sent and received since the last call, and how players keep up.
    void take_reports(std::vector<sfu::PeerReport>& out);

private:
    using Id = std::uint64_t;
    static constexpr Id kListenerId = 0;
    static constexpr Id kTlsListenerId = 1;

    void accept_all(Instant now, StreamConnection::Tls tls);
    Id add(std::shared_ptr<StreamConnection> connection);
    void read(Instant now, Id id, sfu::NodeOutputs& out);
    /// False: nothing more for now, or the connection has gone.
    bool read_once(Instant now, Id id, sfu::NodeOutputs& out);
    /// False: it goes on later, or the connection has gone.
    bool shake_hands(Instant now, Id id, StreamConnection& connection);
    /// False: as above.
    bool begin_tls(Instant now, Id id, StreamConnection& connection);
    void leave_tls_place(StreamConnection& connection);
    /// Places of TLS clients that have gone go to those that wait, the newest first: the oldest
    /// would not get far before their deadline.
    void give_tls_places(Instant now, sfu::NodeOutputs& out);
    /// Carries out what the protocol said. False: the connection has gone (closed, or to control).
    bool process(Instant now, Id id, sfu::NodeOutputs& out);
    void ask(Id id,
             rtmp::MessageStreamId wire_stream,
             bool publishes,
             std::string_view app,
             std::string_view tc_url,
             std::string_view name,
             Instant now);
    static void refuse(Instant now, StreamConnection& connection, const StreamVerdict& verdict);
    void stop_stream(StreamConnection& connection, bool tell);
    void feed_player(Instant now, StreamConnection& connection);
    /// False: the peer has gone.
    bool flush(Instant now, Id id);
    void watch(StreamConnection& connection, Id id);
    void drop(Id id);
    /// Of one connection; nothing when nobody owns it, or nothing passed.
    void report(StreamConnection& connection, std::vector<sfu::PeerReport>& out) const;
    /// The same, of one that is about to go, or to belong to another stream.
    void report_last(StreamConnection& connection);
    void sweep_soon(Instant now);

    int epoll_fd_;
    WorkerId worker_;
    gateway::Gateway& gateway_;
    Rng rng_;
    Notify notify_;
    int plain_listener_ = -1;
    int tls_listener_ = -1;
    int tls_starts_ = 0;                         ///< since the last sweep
    std::size_t tls_places_ = 0;                 ///< taken
    std::vector<Id> waiting_for_place_;          ///< in order of arrival; some have gone
    std::shared_ptr<const io::TlsContext> tls_;  ///< null: no TLS
    std::map<Id, std::shared_ptr<StreamConnection>> connections_;
    std::unordered_map<StreamId, Id> by_stream_;
    Id last_id_ = kTlsListenerId;
    std::uint64_t last_stream_ = 0;
    std::optional<Instant> next_sweep_;
    gateway::GatewayOutputs outputs_;
    std::vector<sfu::PeerReport> last_reports_;
    StreamPortCounters counters_;
    std::vector<std::uint8_t> buffer_;
};

}  // namespace parley::server
