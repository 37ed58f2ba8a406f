#include "server/rest_bridge.h"

#include <utility>

namespace parley::server {

std::optional<rest::AppInfo> RestBridge::find_app(std::string_view app_id) const {
    const auto settings = store_.find(app_id);
    if (!settings) return std::nullopt;
    rest::AppInfo out;
    out.app_id = app_id;
    out.title = store_.title(app_id);
    out.max_users = settings->max_users;
    out.no_auto_kick_user = settings->no_auto_kick_user;
    out.owner = store_.account();
    return out;
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
