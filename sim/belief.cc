#include "sim/belief.h"

namespace parley::sim {
namespace json = boost::json;
namespace {

const json::value* find(const json::object& body, std::string_view name) {
    return body.if_contains(json::string_view(name.data(), name.size()));
}

}  // namespace

std::string text_of(const json::object& body, std::string_view name) {
    const json::value* value = find(body, name);
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

std::int64_t number_of(const json::object& body, std::string_view name) {
    const json::value* value = find(body, name);
    return value == nullptr || !value->is_number() ? -1 : value->to_number<std::int64_t>();
}

const json::array& list_of(const json::object& body, std::string_view name) {
    static const json::array kEmpty;
    const json::value* value = find(body, name);
    const json::array* list = value == nullptr ? nullptr : value->if_array();
    return list == nullptr ? kEmpty : *list;
}

void Belief::add_tracks(const json::array& list, Checker& checker) {
    for (const json::value& value : list) {
        const json::object& track = value.as_object();
        const Track entry{text_of(track, "playerid"),
                          number_of(track, "versionid"),
                          track.at("muted").as_bool(),
                          text_of(track, "kind") == "audio"};
        if (!players.contains(entry.owner)) checker.fail("a track came before its owner");
        if (!tracks.emplace(text_of(track, "trackid"), entry).second) {
            checker.fail("a track was added twice");
        }
    }
}

void Belief::start(const json::object& auth_res, const std::string& self, Checker& checker) {
    players.clear();
    tracks.clear();
    for (const json::value& player : list_of(auth_res, "players")) {
        if (!players.insert(text_of(player.as_object(), "playerid")).second) {
            checker.fail("two players of one id");
        }
    }
    if (players.erase(self) != 1) checker.fail("the room does not know its newcomer");
    add_tracks(list_of(auth_res, "tracks"), checker);
}

void Belief::apply(std::string_view name, const json::object& body, Checker& checker) {
    if (name == "on-player-in") {
        if (!players.insert(text_of(body, "playerid")).second)
            checker.fail("a player came in twice");
    } else if (name == "on-player-out") {
        const std::string id = text_of(body, "playerid");
        if (players.erase(id) != 1) checker.fail("a player left without being there");
        for (const auto& [track, entry] : tracks) {
            if (entry.owner == id) checker.fail("a player left before its tracks");
        }
    } else if (name == "on-player-reconnect" || name == "on-player-reconnect-in") {
        if (!players.contains(text_of(body, "playerid")))
            checker.fail("an unknown player reconnects");
    } else if (name == "on-add-tracks") {
        add_tracks(list_of(body, "tracks"), checker);
    } else if (name == "on-remove-tracks") {
        for (const json::value& track : list_of(body, "tracks")) {
            if (tracks.erase(text_of(track.as_object(), "trackid")) != 1) {
                checker.fail("an unknown track was removed");
            }
        }
    } else if (name == "mute-tracks") {
        for (const json::value& value : list_of(body, "tracks")) {
            const json::object& entry = value.as_object();
            const auto at = tracks.find(text_of(entry, "trackid"));
            if (at == tracks.end()) {
                checker.fail("an unknown track was muted");
            } else {
                at->second.muted = entry.at("muted").as_bool();
            }
        }
    } else if (name == "on-messages") {
        for (const json::value& value : list_of(body, "messages")) {
            const std::int64_t number = number_of(value.as_object(), "msgsn");
            if (number <= last_msgsn) checker.fail("a message came twice or late");
            last_msgsn = number;
        }
    }
}

}  // namespace parley::sim
