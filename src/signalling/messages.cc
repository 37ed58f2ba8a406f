#include "signalling/messages.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace parley::signalling {
namespace json = boost::json;
namespace {

const json::value* field(const json::object& body, std::string_view name) {
    const json::value* value = body.if_contains(to_json_view(name));
    return value == nullptr || value->is_null() ? nullptr : value;
}

/// Whole numbers only, however JSON spelled them.
std::optional<std::int64_t> integer_field(const json::object& body, std::string_view name) {
    const json::value* value = field(body, name);
    if (value == nullptr) return std::nullopt;
    constexpr std::int64_t kMaxSafe = std::int64_t{1} << 53;
    if (const std::int64_t* number = value->if_int64()) {
        if (*number >= 0 && *number <= kMaxSafe) return *number;
    } else if (const double* real = value->if_double()) {
        if (*real >= 0 && *real <= static_cast<double>(kMaxSafe)) {
            return static_cast<std::int64_t>(*real);
        }
    }
    return std::nullopt;
}

bool bool_field(const json::object& body, std::string_view name) {
    const json::value* value = field(body, name);
    const bool* flag = value == nullptr ? nullptr : value->if_bool();
    return flag != nullptr && *flag;
}

/// The objects of the list `name`; the list itself is needed.
Result<std::vector<const json::object*>> object_list(const json::object& body,
                                                     std::string_view name) {
    const json::value* value = field(body, name);
    const json::array* list = value == nullptr ? nullptr : value->if_array();
    if (list == nullptr) return fail(Errc::kMalformed, "tracks is not a list");
    if (list->size() > kMaxListEntries) return fail(Errc::kTooLarge, "too many tracks");
    std::vector<const json::object*> out;
    for (const json::value& entry : *list) {
        const json::object* object = entry.if_object();
        if (object == nullptr) return fail(Errc::kMalformed, "entry of tracks is not an object");
        out.push_back(object);
    }
    return out;
}

Policy parse_policy(const json::object& body) {
    const std::string policy = text_field(body, "policy");
    if (policy == "forceUdp") return Policy::kForceUdp;
    if (policy == "forceTcp") return Policy::kForceTcp;
    return Policy::kPreferUdp;
}

std::optional<sfu::Layer> parse_profile(const json::object& entry) {
    const std::string profile = text_field(entry, "profile");
    if (profile == "low") return sfu::Layer::kLow;
    // Two layers: who asks for the middle one must not get less than he wanted.
    if (profile == "high" || profile == "medium") return sfu::Layer::kHigh;
    return std::nullopt;
}

std::string_view kind_name(sfu::MediaKind kind) {
    return kind == sfu::MediaKind::kAudio ? "audio" : "video";
}

}  // namespace

std::string text_field(const json::object& body, std::string_view name) {
    const json::value* value = field(body, name);
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

room::Privileges parse_privileges(const json::object& body) {
    const json::value* value = field(body, "privileges");
    const json::array* list = value == nullptr ? nullptr : value->if_array();
    if (list == nullptr) return {};
    room::Privileges privileges{.publish = false, .subscribe = false};
    for (const json::value& entry : *list) {
        const json::string* text = entry.if_string();
        if (text == nullptr) continue;
        if (*text == "publish") privileges.publish = true;
        if (*text == "subscribe") privileges.subscribe = true;
    }
    return privileges;
}

Result<AuthRequest> parse_auth(const json::object& body) {
    AuthRequest request;
    request.is_mini_program =
        field(body, "token") == nullptr &&
        (field(body, "roomtoken") != nullptr || field(body, "rtmptoken") != nullptr);
    request.token = text_field(body, "token");
    request.roomtoken = text_field(body, "roomtoken");
    request.rtmptoken = text_field(body, "rtmptoken");
    request.agent = text_field(body, "agent").substr(0, kMaxLabelBytes);
    request.sdkversion = text_field(body, "sdkversion").substr(0, kMaxLabelBytes);
    request.capsdp = text_field(body, "capsdp");
    request.playerdata = text_field(body, "playerdata");
    request.privileges = parse_privileges(body);
    if (field(body, "reconntoken") != nullptr) {
        // A value that we never gave is as unknown as an old one.
        const std::optional<std::int64_t> number = integer_field(body, "reconntoken");
        request.reconntoken = static_cast<std::uint64_t>(number.value_or(0));
    }
    request.msgsn = integer_field(body, "msgsn");
    return request;
}

Result<PublishRequest> parse_publish(const json::object& body) {
    PublishRequest request;
    request.sdp = text_field(body, "sdp");
    if (request.sdp.empty()) return fail(Errc::kMalformed, "sdp is missing");
    request.policy = parse_policy(body);
    const auto entries = object_list(body, "tracks");
    if (!entries) return tl::unexpected(entries.error());
    for (const json::object* entry : *entries) {
        PubTrack track;
        track.localid = text_field(*entry, "localid");
        track.localmid = text_field(*entry, "localmid");
        track.tag = text_field(*entry, "tag");
        track.master = bool_field(*entry, "master");
        track.kbps = integer_field(*entry, "kbps").value_or(0);
        const std::string kind = text_field(*entry, "kind");
        if (kind == "audio") {
            track.kind = sfu::MediaKind::kAudio;
        } else if (kind == "video") {
            track.kind = sfu::MediaKind::kVideo;
        } else {
            return fail(Errc::kMalformed, "kind is neither audio nor video");
        }
        if (track.localid.empty() || track.localid.size() > kMaxLabelBytes ||
            track.localmid.size() > kMaxLabelBytes || track.tag.size() > kMaxLabelBytes) {
            return fail(Errc::kMalformed, "localid or tag");
        }
        for (const PubTrack& other : request.tracks) {
            if (other.localid == track.localid && other.kind == track.kind) {
                return fail(Errc::kMalformed, "one localid twice");
            }
        }
        request.tracks.push_back(std::move(track));
    }
    return request;
}

Result<SubscribeRequest> parse_subscribe(const json::object& body) {
    SubscribeRequest request;
    request.policy = parse_policy(body);
    const auto entries = object_list(body, "tracks");
    if (!entries) return tl::unexpected(entries.error());
    for (const json::object* entry : *entries) {
        request.tracks.push_back({text_field(*entry, "trackid"), parse_profile(*entry)});
    }
    return request;
}

Result<std::vector<std::string>> parse_track_ids(const json::object& body) {
    const auto entries = object_list(body, "tracks");
    if (!entries) return tl::unexpected(entries.error());
    std::vector<std::string> ids;
    for (const json::object* entry : *entries) ids.push_back(text_field(*entry, "trackid"));
    return ids;
}

Result<std::vector<MuteEntry>> parse_mute(const json::object& body) {
    const auto entries = object_list(body, "tracks");
    if (!entries) return tl::unexpected(entries.error());
    std::vector<MuteEntry> out;
    for (const json::object* entry : *entries) {
        out.push_back({text_field(*entry, "trackid"), bool_field(*entry, "muted")});
    }
    return out;
}

Result<TextMessage> parse_text_message(const json::object& body, std::size_t max_targets) {
    TextMessage message;
    message.msgid = text_field(body, "msgid");
    if (message.msgid.size() > kMaxLabelBytes) return fail(Errc::kTooLarge, "msgid is too long");
    message.type = text_field(body, "type");
    if (message.type.empty()) message.type = "normal";
    if (message.type.size() > kMaxLabelBytes) return fail(Errc::kTooLarge, "type is too long");
    const json::value* text = field(body, "text");
    if (text == nullptr || !text->is_string()) return fail(Errc::kMalformed, "text is missing");
    message.text = text_field(body, "text");
    if (const json::value* target = field(body, "target")) {
        const json::array* list = target->if_array();
        if (list == nullptr) return fail(Errc::kMalformed, "target is not a list");
        if (list->size() > max_targets) return fail(Errc::kTooLarge, "too many targets");
        for (const json::value& entry : *list) {
            const json::string* user = entry.if_string();
            if (user == nullptr) return fail(Errc::kMalformed, "target is not a user id");
            message.targets.emplace_back(user->data(), user->size());
        }
    }
    return message;
}

json::object player_json(const room::Member& member) {
    return {{"playerid", member.info.user_id}, {"playerdata", member.info.playerdata}};
}

json::object track_json(const room::Track& track, const room::Member& owner) {
    json::object out{{"trackid", track.id},
                     {"playerid", owner.info.user_id},
                     {"kind", to_json_view(kind_name(track.info.kind))},
                     {"tag", track.info.tag},
                     {"master", track.info.master},
                     {"muted", track.muted},
                     {"mid", std::to_string(track.mid)},
                     {"versionid", track.versionid}};
    if (track.info.simulcast) out["profiles"] = json::array{"high", "low"};
    return out;
}

json::object message_json(const room::Message& message) {
    return {{"msgid", message.msgid},
            {"playerid", message.sender},
            {"type", message.type},
            {"text", message.text},
            {"msgts", message.msgts},
            {"msgsn", message.msgsn}};
}

std::string_view profile_name(sfu::Layer layer) {
    return layer == sfu::Layer::kHigh ? "high" : "low";
}

void add_ice_json(json::object& to, const PeerParameters& peer) {
    to["iceParameters"] = json::object{
        {"usernameFragment", peer.ice.ufrag}, {"password", peer.ice.password}, {"iceLite", true}};
    json::array candidates;
    for (const IceCandidate& candidate : peer.candidates) {
        json::object entry{{"foundation", candidate.foundation},
                           {"priority", candidate.priority},
                           {"ip", candidate.address.ip.to_string()},
                           {"protocol", candidate.tcp ? "tcp" : "udp"},
                           {"port", candidate.address.port},
                           {"type", "host"}};
        if (candidate.tcp) entry["tcpType"] = "passive";
        candidates.push_back(std::move(entry));
    }
    to["iceCandidates"] = std::move(candidates);
}

void add_peer_json(json::object& to, std::string_view pcid, const PeerParameters& peer) {
    to["pcid"] = to_json_view(pcid);
    add_ice_json(to, peer);
    const json::object fingerprint{{"algorithm", "sha-256"},
                                   {"value", peer.fingerprint.to_string()}};
    to["dtlsParameters"] =
        json::object{{"role", peer.role == dtls::Role::kClient ? "client" : "server"},
                     {"fingerprints", json::array{fingerprint}}};
}

std::string stream_msid(const room::Member& owner) { return "s-" + owner.info.user_id; }
std::string stream_cname(const room::Member& owner) { return "c-" + owner.info.user_id; }

json::object sub_track_json(const room::Track& track,
                            const room::Member& owner,
                            const room::Subscription& subscription) {
    const json::object encoding{
        {"ssrc", subscription.ssrc.value},
        {"rtx", json::object{{"ssrc", subscription.rtx_ssrc.value}}},
    };
    json::object rtpparams{
        {"msid", stream_msid(owner)},
        {"encodings", json::array{encoding}},
        {"rtcp",
         json::object{{"cname", stream_cname(owner)}, {"reducedSize", true}, {"mux", true}}},
    };
    return {{"trackid", track.id},
            {"status", true},
            {"muted", track.muted},
            {"rtpparams", std::move(rtpparams)}};
}

json::object refused_sub_track_json(std::string_view trackid) {
    return {{"trackid", to_json_view(trackid)}, {"status", false}};
}

std::optional<QosMessage> complete_qos(std::string_view qos,
                                       const std::vector<const room::Track*>& tracks) {
    json::parse_options options;
    options.max_depth = 8;
    json::error_code error;
    json::value value = json::parse(to_json_view(qos), error, json::storage_ptr{}, options);
    json::object* report = error ? nullptr : value.if_object();
    if (report == nullptr) return std::nullopt;
    json::value* list_value = report->if_contains("tracks_qos");
    json::array* list = list_value == nullptr ? nullptr : list_value->if_array();
    QosMessage out{std::string(qos), quality::read_client_report(*report)};
    if (list == nullptr) return out;

    bool changed = false;
    for (json::value& entry : *list) {
        json::object* track_qos = entry.if_object();
        if (track_qos == nullptr || field(*track_qos, "track") != nullptr) continue;
        const std::string kind = text_field(*track_qos, "kind");
        const room::Track* only = nullptr;
        std::size_t count = 0;
        for (const room::Track* track : tracks) {
            if (kind != kind_name(track->info.kind)) continue;
            only = track;
            ++count;
        }
        if (count != 1) continue;
        (*track_qos)["track"] = only->id;
        changed = true;
    }
    if (changed) out.qos = json::serialize(value);
    return out;
}

}  // namespace parley::signalling
