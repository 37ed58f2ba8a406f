#include "webhook/event.h"

#include <boost/json/parse.hpp>
#include <cstdio>

#include "auth/qiniu_signature.h"

namespace parley::webhook {
namespace json = boost::json;

std::string event_id(std::uint64_t number, WallTime at) {
    char text[48];
    std::snprintf(text,
                  sizeof text,
                  "evt-%llx-%llx",
                  static_cast<unsigned long long>(unix_ms(at)),
                  static_cast<unsigned long long>(number));
    return text;
}

json::object event_json(const Event& event) {
    json::object out{{"id", event.id},
                     {"event", event.name},
                     {"ts", unix_ms(event.at)},
                     {"appId", event.app_id},
                     {"roomName", event.room},
                     {"roomId", event.app_id + ":" + event.room}};
    if (!event.user_id.empty()) out["userId"] = event.user_id;
    boost::system::error_code error;
    json::value data = json::parse(event.data, error);
    out["data"] = !error && data.is_object() ? std::move(data) : json::value(json::object());
    return out;
}

bool is_delivered(std::string_view name) { return name != "user_away"; }

std::string host_header(const gate::Url& url) {
    std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    const bool usual =
        (url.scheme == "http" && url.port == 80) || (url.scheme == "https" && url.port == 443);
    if (!usual) host += ":" + std::to_string(url.port);
    return host;
}

std::string sign_delivery(std::string_view app_id,
                          const std::string& secret,
                          const gate::Url& url,
                          std::string_view body) {
    const std::string host = host_header(url);
    const std::size_t mark = url.path_and_query.find('?');
    auth::SignedRequestView request;
    request.method = "POST";
    request.path = std::string_view(url.path_and_query).substr(0, mark);
    if (mark != std::string::npos)
        request.query = std::string_view(url.path_and_query).substr(mark + 1);
    request.host = host;
    request.content_type = "application/json";
    request.body = body;
    return auth::sign_request({std::string(app_id), secret}, request);
}

}  // namespace parley::webhook
