#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "base/transport.h"
#include "dtls/endpoint.h"
#include "sim/belief.h"
#include "sim/checker.h"
#include "sim/clock.h"
#include "sim/media_peer.h"

namespace parley::sim {

class WebClient;

/// What a client's machine gives it.
class Network {
public:
    virtual ~Network() = default;
    /// A new socket to the server; `WebClient::handle_open` or `handle_close` follows.
    virtual std::uint64_t open_socket(WebClient& client) = 0;
    virtual void send_text(std::uint64_t socket, std::string text) = 0;
    virtual void close_socket(std::uint64_t socket) = 0;
    /// An address that no one has had; for TCP a connection to this port of the server.
    virtual Path fresh_path(const WebClient& client, bool tcp) = 0;
    virtual void send_datagram(const WebClient& client, const MediaPeer& peer, Bytes datagram) = 0;
    virtual Ssrc fresh_ssrc(std::uint32_t source) = 0;
    virtual std::uint32_t fresh_serial() = 0;
};

/// A browser with the published client library, as far as the server can tell: it joins, publishes
/// what it has, subscribes to everything it hears of, and comes back after whatever happens
/// (protocol section 2.5).
class WebClient {
public:
    struct Source {
        std::string localid;
        bool video = false;
        bool simulcast = false;
        std::uint32_t id = 0;  ///< unique in the world; travels in the payload
        bool wanted = true;
        enum class State : std::uint8_t { kDown, kPending, kUp, kLeaving } state = State::kDown;
        std::string trackid;
        std::uint32_t mid = 0;
        Ssrc ssrc;
        Ssrc rtx_ssrc;
        bool muted = false;
    };
    struct Config {
        std::string user;
        std::string room;
        std::string token;
        bool tcp = false;
        NodeClock clock;
        bool starts_near_wrap =
            false;  ///< of its numbers: nothing that it sends may be lost for long
        std::vector<Source> sources;
        std::string fingerprint;  ///< of our certificate
    };
    enum class State : std::uint8_t { kAway, kConnecting, kJoining, kMember };

    WebClient(Config config,
              std::unique_ptr<dtls::Factory> dtls,
              Rng rng,
              Network& network,
              Checker& checker)
        : config_(std::move(config)),
          dtls_(std::move(dtls)),
          rng_(rng),
          network_(network),
          checker_(checker) {}

    void handle_open(Instant now, std::uint64_t socket);
    void handle_text(Instant now, std::uint64_t socket, std::string_view text);
    /// `code` 0: the connection was reset.
    void handle_close(Instant now, std::uint64_t socket, std::uint16_t code);
    void handle_datagram(Instant now, const Path& to, ByteView datagram);
    void tick(Instant now);

    // What its user does.
    void leave(Instant now, bool come_back);
    void toggle_source();
    void toggle_subscription();
    void mute();
    void send_message();
    void switch_profile();
    void restart_ice();
    void kick(const std::string& user);
    /// Its network gave it another address.
    void change_address();
    void set_strict(bool strict) { strict_ = strict; }

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::uint64_t socket() const { return socket_; }
    [[nodiscard]] const Belief& belief() const { return belief_; }
    [[nodiscard]] const MediaPeer* publisher() const { return pub_.get(); }
    [[nodiscard]] const MediaPeer* subscriber() const { return sub_.get(); }
    [[nodiscard]] bool wants_back() const { return wants_back_; }
    [[nodiscard]] bool has_declined(const std::string& trackid) const {
        return declined_.contains(trackid);
    }
    [[nodiscard]] const std::map<std::string, Ssrc>& subscribed() const { return subscribed_; }
    [[nodiscard]] std::size_t pending() const { return pending_.size(); }
    [[nodiscard]] bool is_quiet() const { return pending_.empty(); }

private:
    struct Pending {
        std::string name;
        std::vector<std::string> subject;  ///< track or local ids
    };

    void request(std::string_view name,
                 boost::json::object body,
                 std::vector<std::string> subject = {});
    void say(std::string_view name, const boost::json::object& body);
    void authenticate();
    void go_away(Instant now, Duration retry_in);
    void forget_session();
    void drop_publisher();
    void drop_subscriber();
    void handle_answer(Instant now, std::string_view name, const boost::json::object& body);
    void handle_auth(Instant now, const boost::json::object& body);
    void handle_publish(Instant now,
                        const Pending& asked,
                        const boost::json::object& body,
                        bool fresh);
    void handle_subscribe(Instant now, const boost::json::object& body, bool fresh);
    void handle_disconnect(Instant now, std::int64_t code);
    void handle_ping(Instant now);
    void publish(Instant now);
    void subscribe(Instant now);
    void watch_transport(Instant now,
                         const std::unique_ptr<MediaPeer>& peer,
                         const std::string& pcid,
                         std::string_view name,
                         Instant& restarted_at);
    std::unique_ptr<MediaPeer> make_peer(const boost::json::object& body, dtls::Role role);
    void send_source(Instant now, Source& source);
    void retire(Instant now, const std::string& trackid);
    [[nodiscard]] std::string offer_of(const std::vector<Source*>& sources) const;
    [[nodiscard]] Source* find_source(const std::string& localid);
    [[nodiscard]] bool is_asking(std::string_view name) const;

    Config config_;
    std::unique_ptr<dtls::Factory> dtls_;
    Rng rng_;
    Network& network_;
    Checker& checker_;
    bool strict_ = false;

    State state_ = State::kAway;
    bool wants_back_ = true;
    Instant retry_at_;
    Instant since_;  // of the state
    std::uint64_t socket_ = 0;
    std::uint64_t reconntoken_ = 0;
    std::optional<Instant> pinged_at_;
    std::uint64_t next_rpcid_ = 1;
    std::map<std::string, Pending> pending_;
    std::set<std::string> answered_;  // of this socket
    Belief belief_;
    std::uint64_t messages_ = 0;
    std::uint32_t next_mid_ = 0;

    std::unique_ptr<MediaPeer> pub_;
    std::string pub_pcid_;
    Instant pub_restarted_;
    Instant next_publish_;
    std::unique_ptr<MediaPeer> sub_;
    std::string sub_pcid_;
    Instant sub_restarted_;
    Instant next_subscribe_;
    std::map<std::string, Ssrc> subscribed_;        // by trackid
    std::map<std::string, std::int64_t> versions_;  // of the subscribed tracks
    std::set<std::string> declined_;
    /// Asked for on a socket that died: the server may send them although no answer came.
    std::set<std::string> unsure_;
};

/// What every simulated browser shows as its capabilities, and the extension ids in it.
std::string browser_capsdp();
rtp::ExtensionIds browser_extensions();

}  // namespace parley::sim
