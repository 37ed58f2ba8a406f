#pragma once

#include <string>

#include "auth/room_token.h"
#include "loadgen/client.h"
#include "loadgen/http_client.h"
#include "loadgen/subscriber.h"

namespace parley::loadgen {

/// One publisher over WHIP (RFC 9725) or one viewer over WHEP: an offer in one POST, media, and a DELETE.
class WhipClient final : public Client {
public:
    struct Config {
        Url server;
        SocketAddress address;
        auth::RoomClaims claims;
        std::string room_token;
        std::string source;  ///< viewers: the user whose tracks are viewed
        ClientRole role;     ///< publishes or subscribes, not both
    };

    WhipClient(const ClientContext& context, Config config, Rng rng);
    void start(Instant now) override;
    void leave() override;
    [[nodiscard]] ClientState state() const override;
    [[nodiscard]] const std::string& failure() const override { return failure_; }
    [[nodiscard]] std::int64_t audio_lost() const override { return subscriber_.audio_lost(); }

private:
    void handle_answer(const HttpResponse& response);
    /// What a publisher sends with, or which streams a viewer gets, out of the answer's sections.
    void take_streams(const std::string& answer, PeerConnection::Config& transport);
    void fail(std::string why);
    [[nodiscard]] std::string authorization() const { return "Authorization: Bearer " + config_.room_token + "\r\n"; }

    ClientContext context_;
    Config config_;
    Rng rng_;
    Instant started_;
    HttpClient http_;
    HttpClient deletion_;
    std::string resource_;
    std::string failure_;
    ice::Credentials credentials_;
    Publisher::Config publish_config_;
    PeerConnection transport_;
    Publisher publisher_;
    Subscriber subscriber_;
};

}  // namespace parley::loadgen
