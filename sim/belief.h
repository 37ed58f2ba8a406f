#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "sim/checker.h"

namespace parley::sim {

/// What one client believes of its room, from nothing but the messages it got. A gap or a repeat in
/// the room's events is noticed at once, or makes it differ from what the Hub knows.
struct Belief {
    struct Track {
        std::string owner;
        std::int64_t versionid = 0;
        bool muted = false;
        bool audio = false;
        friend bool operator==(const Track&, const Track&) = default;
    };
    std::set<std::string> players;  ///< without oneself
    std::map<std::string, Track> tracks;
    std::int64_t last_msgsn = 0;

    void start(const boost::json::object& auth_res, const std::string& self, Checker& checker);
    void apply(std::string_view name, const boost::json::object& body, Checker& checker);
    void add_tracks(const boost::json::array& list, Checker& checker);
};

std::string text_of(const boost::json::object& body, std::string_view name);
std::int64_t number_of(const boost::json::object& body, std::string_view name);
const boost::json::array& list_of(const boost::json::object& body, std::string_view name);

}  // namespace parley::sim
