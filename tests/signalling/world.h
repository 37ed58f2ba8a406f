#pragma once

#include <boost/json.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "signalling/hub.h"

/// Scripted clients in front of a Hub, with an explicit clock and hand-driven media workers.
namespace parley::signalling {

namespace json = boost::json;

struct Message {
    std::string name;
    json::object body;
};

std::string text_of(const json::value& value);
std::string chrome_capsdp();
/// Without H.264, as some Firefox builds are.
std::string vp8_only_capsdp();

struct OfferTrack {
    std::string mid;
    std::string kind;
    std::string localid;
    std::uint32_t ssrc = 0;
    std::uint32_t rtx = 0;
    bool rids = false;        ///< hi and lo instead of SSRCs
    bool munged_sim = false;  ///< SIM group of three streams
    bool inactive = false;
};
std::string offer_sdp(const std::vector<OfferTrack>& tracks);
std::string fingerprint_of_client();

class FakeApps final : public AppLookup, public auth::KeyLookup {
public:
    [[nodiscard]] const auth::KeyLookup* keys() const override { return this; }
    [[nodiscard]] std::optional<std::string> secret_key(
        std::string_view access_key) const override {
        if (access_key != "ak") return std::nullopt;
        return "secret of ak";
    }
    [[nodiscard]] bool owns_app(std::string_view, std::string_view app_id) const override {
        return apps.contains(app_id);
    }

    std::map<std::string, AppSettings, std::less<>> apps;
    [[nodiscard]] std::optional<AppSettings> find(std::string_view app_id) const override {
        const auto at = apps.find(app_id);
        if (at == apps.end()) return std::nullopt;
        return at->second;
    }

    std::set<std::string, std::less<>> banned;
    std::set<room::RoomKey> closed;
    [[nodiscard]] bool is_room_open(const room::RoomKey& key) const override {
        return !closed.contains(key);
    }
    [[nodiscard]] bool is_banned(const room::RoomKey&,
                                 std::string_view user,
                                 WallTime) const override {
        return banned.contains(user);
    }
};

struct TokenOptions {
    std::string app = "app1";
    std::string room = "room1";
    bool admin = false;
    std::int64_t expires_in_s = 3600;
    int refusal = 0;
};

class World;

/// One WebSocket. It answers pings unless told not to.
class Client {
public:
    Client(World& world, SessionId id) : world_(world), id_(id) {}

    [[nodiscard]] SessionId id() const { return id_; }
    void send_raw(std::string_view text);
    void send(std::string_view name, const json::object& body);
    /// With a fresh rpcid; returns the body of the answer, which must be there at once.
    json::object request(std::string_view name, json::object body);
    /// The oldest message of this name, taken out; fails the test when there is none.
    json::object take(std::string_view name);
    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
    void forget() { inbox.clear(); }
    void lose_socket();

    json::object auth(const std::string& user,
                      const TokenOptions& options = {},
                      json::object more = {});
    json::object reconnect(const std::string& user,
                           std::uint64_t reconntoken,
                           const TokenOptions& options = {},
                           json::object more = {});
    /// A mini program's `auth` with a room token, as WX4 sends it; `more` replaces fields.
    json::object mini_auth(const std::string& user,
                           const TokenOptions& options = {},
                           json::object more = {});
    /// Its return on a new socket.
    json::object mini_return(const std::string& token);
    /// Publishes through a new connection that comes up at once; returns the answer.
    json::object publish(const std::vector<OfferTrack>& tracks);
    json::object subscribe(const std::vector<std::string>& trackids);

    std::deque<Message> inbox;
    std::optional<std::uint16_t> close_code;
    bool answers_pings = true;
    std::uint64_t reconntoken = 0;
    std::string rtmptoken;

private:
    World& world_;
    SessionId id_;
    std::uint32_t next_rpcid_ = 1;
};

class World {
public:
    explicit World(HubConfig config = {}, std::uint64_t seed = 1);

    Client& connect();
    /// A joined client.
    Client& join(const std::string& user, const TokenOptions& options = {}, json::object more = {});
    /// A joined mini program.
    Client& join_mini(const std::string& user, const TokenOptions& options = {});
    [[nodiscard]] std::string room_token(const std::string& user,
                                         const TokenOptions& options = {}) const;
    /// RTMP of a mini program, as the shell reports it.
    Result<PublishGrant> publish_stream(std::uint64_t stream, const StreamAddress& address);
    Result<PlayGrant> play_stream(std::uint64_t stream, const StreamAddress& address);
    void find_tracks(std::uint64_t stream, const std::vector<FoundTrack>& found);
    void close_stream(std::uint64_t stream);
    [[nodiscard]] std::optional<StreamEnd> end_of(std::uint64_t stream) const;

    [[nodiscard]] std::string token(const std::string& user,
                                    const TokenOptions& options = {}) const;

    /// Runs timers until `duration` has passed.
    void run_for(Duration duration);
    void media_event(const sfu::MediaEvent& event);
    /// PeerConnected for every peer that was opened and is not up.
    void connect_peers();
    /// Commands of this type, oldest first.
    template <class T>
    std::vector<T> commands() const {
        std::vector<T> found;
        for (const ToWorker& to : all_commands) {
            if (const T* command = std::get_if<T>(&to.command)) found.push_back(*command);
        }
        return found;
    }
    template <class T>
    T last_command() const {
        const std::vector<T> found = commands<T>();
        return found.empty() ? T{} : found.back();
    }
    [[nodiscard]] std::size_t event_count(RoomEventKind kind) const;
    /// Delivers what the last call put out, and checks what must hold for every output.
    void deliver();

    FakeApps apps;
    SeededSecretSource secrets;
    Instant now{};
    WallTime wall;
    std::unique_ptr<Hub> hub;
    Outputs out;
    std::map<SessionId, std::unique_ptr<Client>> clients;
    std::vector<ToWorker> all_commands;
    std::vector<RoomEvent> all_events;
    std::vector<MediaSessionId> ended;
    std::vector<EndStream> ended_streams;
    std::vector<RoomSounds> room_sounds;
    std::set<std::uint32_t> open_peers;
    std::set<std::uint32_t> up_peers;
    std::map<std::uint32_t, WorkerId> worker_of;

private:
    std::uint64_t last_session_ = 0;
};

OfferTrack mic(std::string mid = "2", std::string localid = "mic-1", std::uint32_t ssrc = 1111);
OfferTrack camera(std::string mid = "3", std::string localid = "cam-1", std::uint32_t ssrc = 2222);
json::object publish_body(const std::vector<OfferTrack>& tracks,
                          const std::vector<OfferTrack>& new_tracks);
json::array track_refs(const std::vector<std::string>& ids);
/// Track ids of a `pubpc-res` or `pub-tracks-res`.
std::vector<std::string> ids_of(const json::object& answer);
int code_of(const json::object& body);

}  // namespace parley::signalling
