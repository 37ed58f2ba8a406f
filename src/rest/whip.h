#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/room_token.h"
#include "base/rng.h"
#include "base/time.h"
#include "rest/http.h"
#include "rest/media_sessions.h"
#include "sdp/answer.h"

namespace parley::rest {

/// Resources kept; beyond, a POST is answered 503.
inline constexpr std::size_t kMaxMediaResources = 10'000;
inline constexpr std::size_t kMaxOfferBytes = 256 * 1024;
inline constexpr std::size_t kMaxFragmentBytes = 64 * 1024;

/// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) endpoints and session resources:
///
///     /whip/<app>/<room>/<user>              POST publishes as this user
///     /whep/<app>/<room>/<user or trackid>   POST views what this user publishes, or one track
///     <either>/<id>                          the session: PATCH, DELETE
///
/// The Bearer token is a room token. A session answers only to the token that made it, or to
/// another valid one of the same user in the same room.
class Whip {
public:
    struct Stats {
        std::size_t resources = 0;
        std::uint64_t published = 0;
        std::uint64_t viewed = 0;
        std::uint64_t refused = 0;  ///< POSTs not answered with 201
        std::uint64_t restarts = 0;
    };

    /// All references must outlive it.
    Whip(SecretSource& secrets, const auth::KeyLookup& keys, MediaSessions& sessions);

    /// A request whose path begins with `whip` or `whep`.
    HttpResponse handle(Instant now,
                        WallTime wall,
                        const HttpRequest& request,
                        const std::vector<std::string>& path);
    void handle_ended(signalling::MediaSessionId session);

    [[nodiscard]] Stats stats() const;

private:
    struct Resource {
        signalling::MediaSessionId session;
        room::RoomKey room;
        std::string user_id;  ///< of the token
        std::array<std::uint8_t, 32> token_mac{};
        std::string path;
        std::string etag;  ///< with its quotes; names the ICE session (RFC 9725 section 4.3.1)
        std::string remote_ufrag;
        std::string remote_pwd;
        sdp::Kind first_kind = sdp::Kind::kAudio;  ///< of the section that carries the transport
        std::string first_mid;
    };
    struct Post;

    HttpResponse post(Instant now,
                      WallTime wall,
                      const HttpRequest& request,
                      const std::vector<std::string>& path);
    HttpResponse publish(const Post& post);
    HttpResponse view(const Post& post);
    HttpResponse created(const Post& post,
                         signalling::MediaSessionId session,
                         const sdp::Session& answer);
    /// PATCH and DELETE of a resource.
    HttpResponse touch(Instant now,
                       WallTime wall,
                       const HttpRequest& request,
                       const std::vector<std::string>& path);
    HttpResponse patch(Instant now, const HttpRequest& request, Resource& resource);
    HttpResponse restart(Instant now, const sdp::IceFragment& fragment, Resource& resource);
    [[nodiscard]] bool may_touch(WallTime wall,
                                 const HttpRequest& request,
                                 const Resource& resource) const;
    [[nodiscard]] std::array<std::uint8_t, 32> mac(std::string_view token) const;
    std::string fresh_etag();

    SecretSource& secrets_;
    const auth::KeyLookup& keys_;
    MediaSessions& sessions_;
    std::string mac_key_;  ///< tokens are kept as MACs, so that a dump of memory shows none
    std::unordered_map<std::string, Resource> resources_;  // by id; never iterated into an output
    std::unordered_map<signalling::MediaSessionId, std::string> ids_;
    Stats stats_;
};

}  // namespace parley::rest
