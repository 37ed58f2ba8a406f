#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <utility>

#include "auth/room_token.h"
#include "rest/answers.h"
#include "rest/fields.h"
#include "rest/x1.h"
#include "rest/x1_json.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::size_t kDefaultEntries = 100;
constexpr std::size_t kMostEntries = 1'000;
constexpr std::int64_t kLongestTtl = 365LL * 86'400;
constexpr std::int64_t kMostMembers = 100'000;
constexpr std::int64_t kLongestBan = 3'650LL * 86'400;
constexpr std::int64_t kLongestToken = 365LL * 86'400;
constexpr std::int64_t kUsualToken = 3'600;
constexpr std::size_t kMostNames = 256;
constexpr std::size_t kLongestText = 4'096;
constexpr std::size_t kLongestReason = 256;
constexpr std::string_view kServerName = "server";

HttpResponse nothing() { return json_answer({}); }
HttpResponse room_not_found() { return error_response(612, "room not found"); }

/// What control refused: 615 when nobody is there, 612 with its own words, 503 at a bound.
HttpResponse refusal(const Error& error) {
    const std::string_view what = error.what;
    if (error.code != Errc::kNotFound) return error_response(503, what);
    return error_response(what == "room not active" ? 615 : 612, what);
}

/// The kinds that a mute means.
room::Kinds read_kinds(Fields& fields) {
    const auto kind = fields.choice("kind", {"audio", "video"});
    return {!kind || *kind == 0, !kind || *kind == 1};
}

signalling::MuteOrder read_mute(Fields& fields) {
    signalling::MuteOrder order;
    const std::optional<bool> muted = fields.flag("muted");
    if (!muted) fields.reject("muted");
    order.muted = muted.value_or(true);
    order.locked = fields.flag("locked").value_or(false);
    order.kinds = read_kinds(fields);
    return order;
}

}  // namespace

std::optional<PageRequest> read_page(const Target& target, std::string& wrong) {
    PageRequest page{target.parameter("cursor"), kDefaultEntries};
    const std::string_view limit = target.parameter("limit");
    if (limit.empty()) return page;
    std::size_t value = 0;
    const auto [at, error] = std::from_chars(limit.data(), limit.data() + limit.size(), value);
    const bool huge = error == std::errc::result_out_of_range;
    if (at != limit.data() + limit.size() || (error != std::errc() && !huge) ||
        (!huge && value == 0)) {
        wrong = "limit";
        return std::nullopt;
    }
    page.limit = huge ? kMostEntries : std::min(value, kMostEntries);
    return page;
}

std::vector<SignedRoute> X1::room_routes() {
    const auto to = [this](HttpResponse (X1::*answer)(Call&)) {
        return [this, answer](Call& call) { return (this->*answer)(call); };
    };
    const auto room = [](std::string_view method, std::vector<std::string_view> rest) {
        std::vector<std::string_view> path{"x1", "apps", "*", "rooms", "*"};
        path.insert(path.end(), rest.begin(), rest.end());
        return Route{method, std::move(path)};
    };
    return {
        {{"GET", {"x1", "apps", "*", "rooms"}}, Scope::kApp, to(&X1::list_rooms)},
        {{"POST", {"x1", "apps", "*", "rooms"}}, Scope::kApp, to(&X1::create_room)},
        {room("GET", {}), Scope::kRoom, to(&X1::get_room)},
        {room("PATCH", {}), Scope::kRoom, to(&X1::update_room)},
        {room("DELETE", {}), Scope::kRoom, to(&X1::close_room)},
        {room("POST", {"mute"}), Scope::kRoom, to(&X1::mute_room)},
        {room("POST", {"messages"}), Scope::kRoom, to(&X1::send_message)},
        {room("POST", {"token"}), Scope::kRoom, to(&X1::create_token)},
        {room("GET", {"members"}), Scope::kRoom, to(&X1::list_members)},
        {room("GET", {"members", "*"}), Scope::kUser, to(&X1::get_member)},
        {room("PATCH", {"members", "*"}), Scope::kUser, to(&X1::update_member)},
        {room("DELETE", {"members", "*"}), Scope::kUser, to(&X1::kick_member)},
        {room("POST", {"members", "*", "mute"}), Scope::kUser, to(&X1::mute_member)},
        {room("GET", {"bans"}), Scope::kRoom, to(&X1::list_bans)},
        {room("PUT", {"bans", "*"}), Scope::kUser, to(&X1::ban)},
        {room("DELETE", {"bans", "*"}), Scope::kUser, to(&X1::unban)},
    };
}

// ---- Rooms

HttpResponse X1::list_rooms(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    const std::string_view empty = call.target.parameter("empty");
    if (!empty.empty() && empty != "true" && empty != "false") return invalid_args("empty");
    const signalling::RoomPage found = rooms_.room_page(call.app->app_id,
                                                        call.target.parameter("prefix"),
                                                        page->cursor,
                                                        page->limit,
                                                        empty == "true");
    json::array rooms;
    for (const signalling::RoomSummary& room : found.rooms) rooms.push_back(summary_json(room));
    json::object out{{"rooms", std::move(rooms)}};
    if (!found.end && !found.rooms.empty()) out["next"] = found.rooms.back().name;
    return json_answer(out);
}

HttpResponse X1::summary(const room::RoomKey& room) {
    const auto view = rooms_.room_view(room);
    if (!view) return room_not_found();
    return json_answer(
        summary_json({room.name, view->users, view->tracks.size(), view->open, view->created_at}));
}

HttpResponse X1::create_room(Call& call) {
    Fields fields(call.body);
    signalling::RoomOptions options;
    const std::string name = fields.text("roomName", auth::kMaxRoomNameBytes).value_or("");
    if (!auth::is_room_name(name)) fields.reject("roomName");
    options.max_users =
        static_cast<std::uint32_t>(fields.number("maxUsers", 0, kMostMembers).value_or(0));
    options.auto_close_ttl =
        std::chrono::seconds(fields.number("autoCloseTtlS", 0, kLongestTtl).value_or(0));
    options.enter_ttl =
        std::chrono::seconds(fields.number("noEnterTtlS", 0, kLongestTtl).value_or(0));
    options.open = fields.flag("open").value_or(true);
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const room::RoomKey room{call.app->app_id, name};
    if (auto made = estate_.create_room(call.now, room, options); !made) {
        return made.error().code == Errc::kBusy ? error_response(503, made.error().what)
                                                : refusal(made.error());
    }
    return summary(room);
}

HttpResponse X1::get_room(Call& call) {
    const room::RoomKey key = call.room();
    const auto view = rooms_.room_view(key);
    if (!view) return room_not_found();
    json::array members;
    for (const signalling::MemberView& member : view->members) {
        members.push_back(member_json(member, rooms_.quality_of(key, member.user_id)));
    }
    json::array tracks;
    for (const signalling::TrackView& track : view->tracks) tracks.push_back(track_json(track));
    json::array jobs;
    for (const JobRecord* job : estate_.jobs_of(key)) jobs.push_back(listed_job_json(*job));
    const std::size_t bans = rooms_.bans(key, call.wall, "", RoomControl::kMaxBansPerRoom).size();
    return json_answer({{"appId", key.app_id},
                        {"roomName", key.name},
                        {"open", view->open},
                        {"maxUsers", view->max_users},
                        {"createdAt", rfc3339(view->created_at)},
                        {"users", view->users},
                        {"lockedKinds", kinds_json(view->locked)},
                        {"members", std::move(members)},
                        {"tracks", std::move(tracks)},
                        {"jobs", std::move(jobs)},
                        {"bans", bans}});
}

HttpResponse X1::update_room(Call& call) {
    Fields fields(call.body);
    const auto open = fields.flag("open");
    const auto max_users = fields.number("maxUsers", 1, kMostMembers);
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const room::RoomKey room = call.room();
    if (open) {
        if (!rooms_.set_open(call.now, room, *open)) return store_busy();
    }
    if (max_users) {
        const auto set =
            rooms_.set_max_users(call.now, room, static_cast<std::uint32_t>(*max_users));
        if (!set) return refusal(set.error());
    }
    if (rooms_.room_view(room)) return summary(room);
    // Closed or opened before anybody has made it.
    return json_answer(summary_json({room.name, 0, 0, rooms_.is_open(room), call.wall}));
}

HttpResponse X1::close_room(Call& call) {
    if (auto closed = estate_.close_room(call.now, call.room()); !closed) {
        return refusal(closed.error());
    }
    return nothing();
}

HttpResponse X1::mute_room(Call& call) {
    Fields fields(call.body);
    signalling::MuteOrder order = read_mute(fields);
    order.spared = fields.users("except", kMostNames);
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const auto changed = rooms_.mute_room(call.now, call.room(), order);
    if (!changed) return refusal(changed.error());
    return json_answer(muted_json(*changed));
}

HttpResponse X1::send_message(Call& call) {
    Fields fields(call.body);
    signalling::ServerMessage message;
    message.text = fields.text("text", kLongestText).value_or("");
    if (message.text.empty()) fields.reject("text");
    message.targets = fields.users("users", kMostNames);
    message.sender = fields.user("sender").value_or(std::string(kServerName));
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const auto sent = rooms_.send_message(call.now, call.wall, call.room(), std::move(message));
    if (!sent) return refusal(sent.error());
    return json_answer({{"messageId", sent->msgid}, {"told", sent->told}});
}

HttpResponse X1::create_token(Call& call) {
    Fields fields(call.body);
    auth::RoomClaims claims{call.app->app_id, std::string(call.arguments[1]), "", {}, {}};
    claims.user_id = fields.user("userId").value_or("");
    if (claims.user_id.empty()) fields.reject("userId");
    const auto permission = fields.choice("permission", {"user", "admin"});
    claims.permission =
        permission.value_or(0) == 1 ? auth::Permission::kAdmin : auth::Permission::kUser;
    const std::int64_t seconds = fields.number("expiresS", 1, kLongestToken).value_or(kUsualToken);
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const auto secret = estate_.keys().secret_key(call.access_key);
    if (!secret) return error_response(401, "bad token");
    // Tokens tell whole seconds.
    claims.expire_at =
        std::chrono::floor<std::chrono::seconds>(call.wall) + std::chrono::seconds(seconds);
    return json_answer({{"token", auth::mint_room_token({call.access_key, *secret}, claims)},
                        {"expireAt", rfc3339(claims.expire_at)}});
}

// ---- Members

HttpResponse X1::list_members(Call& call) {
    json::array members;
    const room::RoomKey key = call.room();
    if (const auto view = rooms_.room_view(key)) {
        for (const signalling::MemberView& member : view->members) {
            members.push_back(member_json(member, rooms_.quality_of(key, member.user_id)));
        }
    }
    return json_answer({{"members", std::move(members)}});
}

HttpResponse X1::get_member(Call& call) {
    const room::RoomKey key = call.room();
    const auto member = rooms_.member_view(key, call.arguments[2]);
    if (!member) return error_response(612, "user not found");
    return json_answer(member_json(*member, rooms_.quality_of(key, member->user_id)));
}

HttpResponse X1::update_member(Call& call) {
    Fields fields(call.body);
    signalling::MemberChange change;
    change.publish = fields.flag("publish");
    change.subscribe = fields.flag("subscribe");
    if (const auto permission = fields.choice("permission", {"user", "admin"})) {
        change.permission = *permission == 1 ? room::Permission::kAdmin : room::Permission::kUser;
    }
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const room::RoomKey room = call.room();
    const std::string user(call.arguments[2]);
    if (auto changed = rooms_.change_member(call.now, room, user, change); !changed) {
        return refusal(changed.error());
    }
    return get_member(call);
}

HttpResponse X1::kick_member(Call& call) {
    if (auto kicked = estate_.kick_user(call.now, call.room(), call.arguments[2]); !kicked) {
        return refusal(kicked.error());
    }
    return nothing();
}

HttpResponse X1::mute_member(Call& call) {
    Fields fields(call.body);
    signalling::MuteOrder order = read_mute(fields);
    order.trackid = fields.text("trackId", kMostNames).value_or("");
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    const auto changed =
        rooms_.mute_user(call.now, call.room(), std::string(call.arguments[2]), order);
    if (!changed) return refusal(changed.error());
    return json_answer(muted_json(*changed));
}

// ---- Bans

HttpResponse X1::list_bans(Call& call) {
    std::string wrong;
    const auto page = read_page(call.target, wrong);
    if (!page) return invalid_args(wrong);
    std::vector<Ban> found = rooms_.bans(call.room(), call.wall, page->cursor, page->limit + 1);
    json::object out;
    if (found.size() > page->limit) {
        found.pop_back();
        out["next"] = found.back().user_id;
    }
    json::array bans;
    for (const Ban& one : found) bans.push_back(ban_json(one));
    out["bans"] = std::move(bans);
    return json_answer(out);
}

HttpResponse X1::ban(Call& call) {
    Fields fields(call.body);
    Ban ban;
    ban.user_id = call.arguments[2];
    ban.reason = fields.text("reason", kLongestReason).value_or("");
    ban.created_at = call.wall;
    const std::int64_t seconds = fields.number("durationS", 0, kLongestBan).value_or(0);
    if (seconds != 0) ban.until = call.wall + std::chrono::seconds(seconds);
    if (!fields.wrong().empty()) return invalid_args(fields.wrong());
    if (auto put = rooms_.put_ban(call.wall, call.room(), ban); !put) {
        return put.error().code == Errc::kTooLarge ? error_response(409, "conflict") : store_busy();
    }
    // It may not be there; it may not come either.
    static_cast<void>(estate_.kick_user(call.now, call.room(), ban.user_id));
    return json_answer(ban_json(ban));
}

HttpResponse X1::unban(Call& call) {
    const auto erased = rooms_.erase_ban(call.wall, call.room(), std::string(call.arguments[2]));
    if (erased) return nothing();
    return erased.error().code == Errc::kNotFound ? error_response(612, "ban not found")
                                                  : store_busy();
}

}  // namespace parley::rest
