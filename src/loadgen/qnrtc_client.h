#pragma once

#include <boost/json/fwd.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/room_token.h"
#include "base/rng.h"
#include "loadgen/client.h"
#include "loadgen/http_client.h"
#include "loadgen/publisher.h"
#include "loadgen/subscriber.h"
#include "loadgen/web_socket.h"

namespace parley::loadgen {

/// One member over the QNRTC protocol (protocol sections 1 to 4) as the web SDK speaks it: HTTP for the
/// access token, WebSocket, one peer connection for what it publishes and one for what it subscribes.
class QnrtcClient final : public Client {
public:
    struct Config {
        Url server;             ///< base URL
        SocketAddress address;  ///< of the server's HTTP port
        auth::RoomClaims claims;
        std::string room_token;
        ClientRole role;
    };

    QnrtcClient(const ClientContext& context, Config config, Rng rng);
    void start(Instant now) override;
    void leave() override;

    [[nodiscard]] ClientState state() const override;
    [[nodiscard]] const std::string& failure() const override { return failure_; }
    [[nodiscard]] std::int64_t audio_lost() const override { return subscriber_.audio_lost(); }

private:
    void handle_token(const HttpResponse& response);
    void open_socket(const Url& url);
    void send_auth();
    void handle_message(std::string_view text);
    void handle_auth(const boost::json::object& message);
    void handle_publish(const boost::json::object& message);
    void handle_subscribe(const boost::json::object& message);
    void add_room_tracks(const boost::json::value* tracks);
    void remove_room_tracks(const boost::json::value* tracks);
    void publish();
    void subscribe_pending();
    void add_subscribed_tracks(const boost::json::object& message);
    void start_transport(const boost::json::object& message, PeerConnection& transport,
                         const ice::Credentials& local, PeerConnection::Media& media);
    void send(std::string_view name, const boost::json::object& message);
    std::string next_rpcid();
    void fail(std::string why);

    struct RoomTrack {
        std::string id;
        bool is_video = false;
        bool requested = false;
    };
    /// From rtpcaps: what we send with and what we receive with.
    struct Capabilities {
        PayloadType send_audio, send_video, send_rtx;
        rtp::ExtensionIds send_extensions;
        rtp::ExtensionIds receive_extensions;
    };

    ClientContext context_;
    Config config_;
    Rng rng_;
    Instant started_;
    HttpClient http_;
    WebSocketClient socket_;
    std::string access_token_;
    std::string failure_;
    bool joined_ = false;
    bool left_ = false;
    Capabilities capabilities_;
    std::vector<RoomTrack> room_tracks_;
    enum class SubscribeState : std::uint8_t { kNone, kConnecting, kUp };
    SubscribeState subscribe_state_ = SubscribeState::kNone;
    ice::Credentials publish_credentials_;
    ice::Credentials subscribe_credentials_;
    Publisher::Config publish_config_;
    PeerConnection publish_transport_;
    PeerConnection subscribe_transport_;
    Publisher publisher_;
    Subscriber subscriber_;
};

}  // namespace parley::loadgen
