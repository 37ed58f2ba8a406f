#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quality/client_report.h"
#include "room/room.h"
#include "signalling/envelope.h"
#include "signalling/hub.h"

/// The bodies of the web clients' messages (protocol section 3): what they say, read tolerantly
/// (unknown fields ignored, a missing optional field has its default, a wrong type of a needed
/// field is kMalformed), and the objects that go back.
namespace parley::signalling {

/// Entries of any list in a request; longer ones are kTooLarge.
inline constexpr std::size_t kMaxListEntries = 1024;
/// Of `tag`, `localid` and similar free texts.
inline constexpr std::size_t kMaxLabelBytes = 512;

struct AuthRequest {
    std::string token;
    std::optional<std::uint64_t> reconntoken;
    std::optional<std::int64_t> msgsn;
    std::string agent;
    std::string sdkversion;
    std::string capsdp;
    std::string playerdata;
    room::Privileges privileges;
    bool is_mini_program = false;  ///< carries `roomtoken` or `rtmptoken` instead of `token`
    std::string roomtoken;
    std::string rtmptoken;
};
Result<AuthRequest> parse_auth(const boost::json::object& body);
room::Privileges parse_privileges(const boost::json::object& body);

enum class Policy : std::uint8_t { kPreferUdp, kForceUdp, kForceTcp };

struct PubTrack {
    std::string localid;
    std::string localmid;  ///< empty: not said
    std::string tag;
    sfu::MediaKind kind = sfu::MediaKind::kAudio;
    bool master = false;
    std::int64_t kbps = 0;  ///< 0: not said
};
/// `pubpc` and `pub-tracks`.
struct PublishRequest {
    std::string sdp;
    std::vector<PubTrack> tracks;
    Policy policy = Policy::kPreferUdp;
};
Result<PublishRequest> parse_publish(const boost::json::object& body);

struct SubTrack {
    std::string trackid;
    std::optional<sfu::Layer> layer;  ///< absent: high
};
/// `subpc`, `sub-tracks` and `set-sub-profile`.
struct SubscribeRequest {
    std::vector<SubTrack> tracks;
    Policy policy = Policy::kPreferUdp;
};
Result<SubscribeRequest> parse_subscribe(const boost::json::object& body);

/// `unpub-tracks`, `unsub-tracks`.
Result<std::vector<std::string>> parse_track_ids(const boost::json::object& body);

struct MuteEntry {
    std::string trackid;
    bool muted = false;
};
Result<std::vector<MuteEntry>> parse_mute(const boost::json::object& body);

struct TextMessage {
    std::string msgid;
    std::string type;
    std::string text;
    std::vector<std::string> targets;  ///< empty: everybody
};
Result<TextMessage> parse_text_message(const boost::json::object& body, std::size_t max_targets);

/// A string field; empty when it is absent or no string.
std::string text_field(const boost::json::object& body, std::string_view name);

boost::json::object player_json(const room::Member& member);
boost::json::object track_json(const room::Track& track, const room::Member& owner);
boost::json::object message_json(const room::Message& message);
std::string_view profile_name(sfu::Layer layer);
/// `pcid`, `iceParameters`, `iceCandidates`, `dtlsParameters` (the first only if it is not empty).
void add_peer_json(boost::json::object& to, std::string_view pcid, const PeerParameters& peer);
/// The two ICE members alone, for `*-restart-res`.
void add_ice_json(boost::json::object& to, const PeerParameters& peer);
/// One entry of `subpc-res.tracks`.
boost::json::object sub_track_json(const room::Track& track,
                                   const room::Member& owner,
                                   const room::Subscription& subscription);
boost::json::object refused_sub_track_json(std::string_view trackid);

/// Names that tie the tracks of one publisher together for lip-sync (protocol section 4.5).
std::string stream_msid(const room::Member& owner);
std::string stream_cname(const room::Member& owner);

/// Adds the missing `track` to the entries of a quality report whose kind has exactly one track in
/// `tracks` (protocol section 3.8). Nothing when `qos` is no JSON object, which clients could not
/// read either.
struct QosMessage {
    std::string qos;
    quality::ClientReport report;
};
std::optional<QosMessage> complete_qos(std::string_view qos,
                                       const std::vector<const room::Track*>& tracks);

}  // namespace parley::signalling
