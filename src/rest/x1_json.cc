#include "rest/x1_json.h"

#include <boost/json/array.hpp>

#include "rest/app_record.h"
#include "rest/x1_quality.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

const char* kind_text(sfu::MediaKind kind) {
    return kind == sfu::MediaKind::kAudio ? "audio" : "video";
}
const char* layer_text(sfu::Layer layer) { return layer == sfu::Layer::kLow ? "low" : "high"; }

const char* codec_text(sfu::Codec codec) {
    switch (codec) {
        case sfu::Codec::kOpus:
            return "opus";
        case sfu::Codec::kH264:
            return "H264";
        case sfu::Codec::kVp8:
            return "VP8";
        case sfu::Codec::kVp9:
            return "VP9";
        case sfu::Codec::kAv1:
            return "AV1";
    }
    return "";
}

}  // namespace

json::array kinds_json(room::Kinds kinds) {
    json::array out;
    if (kinds.audio) out.emplace_back("audio");
    if (kinds.video) out.emplace_back("video");
    return out;
}

json::object summary_json(const signalling::RoomSummary& room) {
    return {{"roomName", room.name},
            {"users", room.users},
            {"tracks", room.tracks},
            {"open", room.open},
            {"createdAt", rfc3339(room.created_at)}};
}

json::object member_json(const signalling::MemberView& member, const quality::Point* quality) {
    json::array subscriptions;
    for (const signalling::SubscriptionView& one : member.subscriptions) {
        subscriptions.push_back(
            json::object{{"trackId", one.trackid}, {"layer", layer_text(one.layer)}});
    }
    const bool admin = member.permission == room::Permission::kAdmin;
    const std::string_view kind = room::to_string(member.kind);
    json::object out{{"userId", member.user_id},
                     {"kind", json::string_view(kind.data(), kind.size())},
                     {"agent", member.agent},
                     {"userData", member.playerdata},
                     {"permission", admin ? "admin" : "user"},
                     {"publish", member.privileges.publish},
                     {"subscribe", member.privileges.subscribe},
                     {"away", member.away},
                     {"joinedAt", rfc3339(member.joined_at)},
                     {"lockedKinds", kinds_json(member.locked)},
                     {"tracks", json::array(member.tracks.begin(), member.tracks.end())},
                     {"subscriptions", std::move(subscriptions)}};
    if (quality != nullptr) out["quality"] = quality_json(*quality);
    return out;
}

json::object track_json(const signalling::TrackView& track) {
    json::object out{{"trackId", track.trackid},
                     {"userId", track.user_id},
                     {"kind", kind_text(track.kind)},
                     {"tag", track.tag},
                     {"master", track.master},
                     {"codec", codec_text(track.codec)},
                     {"simulcast", track.simulcast},
                     {"muted", track.muted},
                     {"locked", track.locked},
                     {"subscribers", track.subscribers}};
    if (track.audio_level_dbov) out["audioLevelDbov"] = *track.audio_level_dbov;
    return out;
}

json::object ban_json(const Ban& ban) {
    json::object out{
        {"userId", ban.user_id}, {"reason", ban.reason}, {"createdAt", rfc3339(ban.created_at)}};
    if (ban.until) out["until"] = rfc3339(*ban.until);
    return out;
}

json::object muted_json(const std::vector<signalling::ChangedTrack>& changed) {
    json::array out;
    for (const signalling::ChangedTrack& track : changed) {
        out.push_back(json::object{{"userId", track.user_id},
                                   {"trackId", track.trackid},
                                   {"muted", track.muted},
                                   {"locked", track.locked}});
    }
    return {{"changed", std::move(out)}};
}

}  // namespace parley::rest
