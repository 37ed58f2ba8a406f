#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "signalling/handlers.h"

namespace parley::signalling {
namespace json = boost::json;
namespace {

/// Reports come every 3 s from each client; the margin is for clients that catch up after a stall.
constexpr std::uint32_t kMaxQosPerSecond = 3;

}  // namespace

Reply handle_mute_tracks(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const Result<std::vector<MuteEntry>> entries = parse_mute(body);
    if (!entries) return Reply::refuse(kInvalidParameter, entries.error().what);
    json::array changed;
    bool refused = false;
    for (const MuteEntry& entry : *entries) {
        room::Track* track = caller.entry.room.find_track(entry.trackid);
        if (track == nullptr || track->owner != caller.member.id) continue;
        track->self_muted = entry.muted;
        if (!entry.muted && track->stopped) {
            if (caller.entry.room.rulings().is_locked(
                    caller.member.info.user_id, track->info.kind, track->id)) {
                refused = true;
                continue;
            }
            hub.stop_track(caller.entry, *track, false, out);
        }
        if (track->muted == entry.muted) continue;
        track->muted = entry.muted;
        // Receivers stop at the first id they do not know (quirk Q11).
        if (!track->announced) continue;
        changed.push_back(json::object{{"trackid", track->id}, {"muted", track->muted}});
        hub.raise(RoomEventKind::kTrackMuted,
                  caller.entry,
                  caller.member.info.user_id,
                  {{"trackId", track->id}, {"muted", track->muted}},
                  out);
    }
    if (!changed.empty()) {
        hub.tell_others(
            caller.entry, caller.member.id, "mute-tracks", {{"tracks", std::move(changed)}}, out);
        hub.refresh_mixes(caller.entry, out);
    }
    if (refused) return Reply::refuse(kNoPermission, "muted by the app server");
    return {};
}

Reply handle_send_message(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    Result<TextMessage> request = parse_text_message(body, hub.config.max_message_targets);
    if (!request) return Reply::refuse(kInvalidParameter, request.error().what);
    if (request->text.size() > hub.config.max_text_bytes) {
        return Reply::refuse(kInvalidParameter, "text is too long");
    }
    if (!caller.presence.messages.allow(hub.now(), hub.config.max_messages_per_second)) {
        ++hub.counters.rate_limited;
        return Reply::refuse(kInvalidParameter, "too many messages, slow down");
    }

    room::MessageLog& log = caller.entry.room.messages();
    room::Message message;
    message.msgid = std::move(request->msgid);
    message.sender = caller.member.info.user_id;
    message.type = std::move(request->type);
    message.text = std::move(request->text);
    message.targets = std::move(request->targets);
    message.msgts = unix_ms(hub.wall());
    message.msgsn = log.take_number();
    hub.post(caller.entry, caller.member.id, log, std::move(message), out);
    return {};
}

Reply handle_send_qos(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const std::string report = text_field(body, "qos");
    if (report.empty() || report.size() > hub.config.max_qos_bytes) {
        return Reply::refuse(kInvalidParameter, "qos");
    }
    if (!caller.presence.qos.allow(hub.now(), kMaxQosPerSecond)) {
        ++hub.counters.rate_limited;
        return Reply::refuse(kInvalidParameter, "too many reports, slow down");
    }
    std::vector<const room::Track*> tracks = caller.entry.room.tracks_of(caller.member.id);
    std::erase_if(tracks, [](const room::Track* track) { return !track->announced; });
    std::optional<QosMessage> qos = complete_qos(report, tracks);
    if (!qos) return Reply::refuse(kInvalidParameter, "qos is not JSON");

    const std::int64_t number = caller.entry.room.messages().take_number();
    const json::object message{{"msgid", std::to_string(number)},
                               {"playerid", caller.member.info.user_id},
                               {"msgts", unix_ms(hub.wall())},
                               {"msgsn", number},
                               {"qos", qos->qos}};
    hub.tell_others(caller.entry,
                    caller.member.id,
                    "on-qos-messages",
                    {{"messages", json::array{message}}},
                    out);
    out.quality.push_back({{caller.entry.key, caller.member.info.user_id}, qos->report});
    return {};
}

Reply handle_control(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    const std::string command = text_field(body, "command");
    const std::string user = text_field(body, "playerid");
    // The client takes an empty error for success, whatever the code says (quirk Q7).
    Reply reply;
    if (command != "kickplayer") {
        reply = Reply::refuse(kInvalidParameter, "unknown command");
    } else if (caller.member.info.permission != room::Permission::kAdmin) {
        reply = Reply::refuse(kNoPermission, "no permission to kick");
    } else if (const room::Member* victim = caller.entry.room.find_user(user);
               victim == nullptr || victim == &caller.member) {
        reply = Reply::refuse(kInvalidParameter, "no such user to kick");
    } else {
        hub.expel(victim->id,
                  kKicked,
                  "kicked out of the room",
                  caller.member.info.user_id,
                  LeaveReason::kKicked,
                  out);
    }
    reply.fields["command"] = command;
    reply.fields["playerid"] = user;
    return reply;
}

Reply handle_set_privileges(HubState& hub, Caller& caller, const json::object& body, Outputs& out) {
    if (!body.contains("privileges")) {
        return Reply::refuse(kInvalidParameter, "privileges is missing");
    }
    const room::Privileges asked = parse_privileges(body);
    const room::Privileges privileges =
        caller.entry.room.rulings().allowed(caller.member.info.user_id, asked);
    if (privileges != caller.member.info.privileges) {
        caller.member.info.privileges = privileges;
        hub.raise(RoomEventKind::kRoleChanged,
                  caller.entry,
                  caller.member.info.user_id,
                  {{"publish", privileges.publish}, {"subscribe", privileges.subscribe}},
                  out);
    }
    if (privileges != asked) return Reply::refuse(kNoPermission, "withdrawn by the app server");
    return {};
}

}  // namespace parley::signalling
