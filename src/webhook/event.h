#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "gate/url_gate.h"

/// What app servers are told of (REST section 12).
namespace parley::webhook {

/// One entry of the event log.
struct Event {
    std::uint64_t number =
        0;             ///< of the log; grows in the order of what happened, and is the cursor
    std::string id;    ///< stable: the same in every delivery and every list
    std::string name;  ///< `user_joined` and so on
    WallTime at;
    std::string app_id;
    std::string room;
    std::string user_id;  ///< empty: none
    std::string data;     ///< JSON object
};

/// Numbers are given once for each store, the time keeps ids of two stores apart.
std::string event_id(std::uint64_t number, WallTime at);

/// `{"id","event","ts","appId","roomName","roomId","userId"?,"data"}`
boost::json::object event_json(const Event& event);

/// Whether an event of this name goes to app servers, or is for the time line only.
bool is_delivered(std::string_view name);

/// Where the events of an app go, and whose secret signs them.
struct Target {
    std::string url;
    std::string secret;
    friend bool operator==(const Target&, const Target&) = default;
};

/// The value of the Authorization header: `Qiniu <appId>:<sign>`, so that the call-back checks of
/// the server SDKs verify it with (appId, secret) as key pair.
std::string sign_delivery(std::string_view app_id,
                          const std::string& secret,
                          const gate::Url& url,
                          std::string_view body);

/// What goes into the Host header.
std::string host_header(const gate::Url& url);

}  // namespace parley::webhook
