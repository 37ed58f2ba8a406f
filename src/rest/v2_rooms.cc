#include "rest/v2_rooms.h"

#include <boost/json/array.hpp>
#include <utility>

#include "rest/answers.h"
#include "rest/body.h"

namespace parley::rest {
namespace {

namespace json = boost::json;

constexpr std::string_view kAppIdPrefix = "v2-";
constexpr std::string_view kRoomNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kRoomNameLength = 12;
constexpr std::int64_t kMostUsersOfV2Room = 100'000;

/// `room_status` of the published answer.
enum class V2Status { kNew = 0, kMeeting = 1, kFinished = 2 };

HttpResponse no_room() { return error_response(612, "room not found"); }

room::RoomKey key_of(const SignedCall& call) {
    return {v2_app_id(call.account), std::string(call.arguments[0])};
}

}  // namespace

std::string v2_app_id(std::int64_t account) {
    return std::string(kAppIdPrefix) + std::to_string(account);
}

bool is_v2_app_id(std::string_view app_id) { return app_id.starts_with(kAppIdPrefix); }

std::vector<SignedRoute> V2Rooms::routes() {
    using V = V2Rooms;
    const auto to = [this](HttpResponse (V::*answer)(Call&)) {
        return [this, answer](Call& call) { return (this->*answer)(call); };
    };
    std::vector<SignedRoute> all;
    for (const std::string_view version : {"v1", "v2"}) {
        all.push_back({{"POST", {version, "rooms"}}, Scope::kAccount, to(&V::create)});
        all.push_back({{"GET", {version, "rooms", "*"}}, Scope::kAccount, to(&V::get)});
        all.push_back({{"DELETE", {version, "rooms", "*"}}, Scope::kAccount, to(&V::remove)});
        all.push_back(
            {{"GET", {version, "rooms", "*", "users"}}, Scope::kAccount, to(&V::list_users)});
        all.push_back({{"DELETE", {version, "rooms", "*", "users", "*"}},
                       Scope::kAccount,
                       to(&V::kick_user)});
    }
    return all;
}

std::string V2Rooms::fresh_name(const std::string& app_id) {
    std::string name;
    do {
        name.clear();
        while (name.size() < kRoomNameLength) {
            name += kRoomNameLetters[rng_.below(kRoomNameLetters.size())];
        }
    } while (estate_.find_v2_room({app_id, name}) != nullptr);
    return name;
}

HttpResponse V2Rooms::create(Call& call) {
    const auto owner = text_field(call.body, "owner_id");
    const auto given_name = text_field(call.body, "room_name");
    const auto user_max = number_field(call.body, "user_max");
    if (!owner || !auth::is_user_id(owner->value_or("")) || !given_name || !user_max ||
        user_max->value_or(0) < 0 || user_max->value_or(0) > kMostUsersOfV2Room) {
        return invalid_args();
    }
    const std::string app_id = v2_app_id(call.account);
    std::string name = given_name->value_or("");
    if (name.empty()) name = fresh_name(app_id);
    if (!auth::is_room_name(name)) return invalid_args();
    if (estate_.find_v2_room({app_id, name}) != nullptr) {
        return error_response(614, "room already exists");
    }
    if (estate_.find_app(app_id) == nullptr) {
        AppRecord app;
        app.app_id = app_id;
        app.uid = call.account;
        app.title = "v2 rooms";
        app.no_auto_kick_user = estate_.app_defaults().no_auto_kick_user;
        app.created_at = app.updated_at = call.wall;
        if (!estate_.put_app(app)) return store_busy();
    }
    const V2Room room{{app_id, name},
                      **owner,
                      static_cast<std::uint32_t>(user_max->value_or(0)),
                      false,
                      call.wall};
    if (const auto put = estate_.put_v2_room(room); !put) {
        return put.error().code == Errc::kTooLarge ? error_response(503, "too many rooms")
                                                   : store_busy();
    }
    return json_answer({{"room_name", name}});
}

HttpResponse V2Rooms::get(Call& call) {
    const V2Room* room = estate_.find_v2_room(key_of(call));
    if (room == nullptr) return no_room();
    V2Status status = room->was_used ? V2Status::kFinished : V2Status::kNew;
    if (!estate_.list_users(room->key).empty()) status = V2Status::kMeeting;
    const AppRecord* app = estate_.find_app(room->key.app_id);
    std::uint32_t user_max = room->user_max;
    if (user_max == 0 && app != nullptr) {
        user_max = room_settings(*app, estate_.app_defaults()).max_users;
    }
    return json_answer({{"room_name", room->key.name},
                        {"owner_id", room->owner_id},
                        {"user_max", user_max},
                        {"room_status", static_cast<int>(status)}});
}

HttpResponse V2Rooms::remove(Call& call) {
    const room::RoomKey key = key_of(call);
    if (estate_.find_v2_room(key) == nullptr) return no_room();
    if (!estate_.erase_v2_room(call.now, key)) return store_busy();
    return json_answer({});
}

HttpResponse V2Rooms::list_users(Call& call) {
    const V2Room* room = estate_.find_v2_room(key_of(call));
    if (room == nullptr) return no_room();
    json::array users;
    for (const std::string& user : estate_.list_users(room->key)) {
        users.push_back(json::object{{"user_id", user}});
    }
    return json_answer({{"active_users", std::move(users)}});
}

HttpResponse V2Rooms::kick_user(Call& call) {
    const V2Room* room = estate_.find_v2_room(key_of(call));
    if (room == nullptr) return no_room();
    if (!estate_.kick_user(call.now, room->key, call.arguments[1])) {
        return error_response(612, "user not found");
    }
    return json_answer({});
}

}  // namespace parley::rest
