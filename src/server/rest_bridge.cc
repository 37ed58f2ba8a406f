#include "server/rest_bridge.h"

#include <utility>

namespace parley::server {

std::optional<rest::AppInfo> RestBridge::app_info(std::string_view app_id) const {
    const rest::AppRecord* app = store_.find_app(app_id);
    if (app == nullptr) return std::nullopt;
    const std::optional<auth::AccountKey> owner = store_.key_of(app->uid);
    if (!owner) return std::nullopt;
    const signalling::AppSettings settings = rest::room_settings(*app, store_.defaults());
    return rest::AppInfo{app->app_id, app->title, settings.max_users, settings.no_auto_kick_user, *owner};
}

Result<void> RestBridge::erase_app(Instant now, const std::string& app_id) {
    if (auto erased = store_.erase_app(app_id); !erased) return erased;
    for (const std::string& room : hub_.all_rooms(app_id)) {
        // A room that is closing already is no failure.
        static_cast<void>(hub_.close_room(now, {app_id, room}, outputs_));
    }
    return {};
}

rest::HttpRequest to_rest_request(const io::HttpRequestView& view) {
    rest::HttpRequest out;
    out.method = view.method;
    out.target = view.target;
    out.headers.reserve(view.headers.size());
    for (const io::HttpHeaderView& header : view.headers) out.headers.emplace_back(header.name, header.value);
    out.body = view.body;
    out.peer = view.remote.ip.to_string();
    out.tls = view.tls;
    out.host = view.header("Host");
    return out;
}

io::HttpReply to_http_reply(rest::HttpResponse response) {
    io::HttpReply out;
    out.status = response.status;
    out.headers = std::move(response.headers);
    out.body = std::move(response.body);
    return out;
}

}  // namespace parley::server
