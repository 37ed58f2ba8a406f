#include "cli/api_session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "auth/qiniu_signature.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "io/clock.h"
#include "io/files.h"
#include "server/app_store.h"

namespace parley::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCredentialsBytes = 64 * 1024;

std::string text_of(const json::object& object, const char* name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::string variable(const server::ConfigSources& sources, const std::string& name) {
    const auto found = sources.environment.find(name);
    return found == sources.environment.end() ? std::string() : found->second;
}

struct Found {
    auth::AccountKey key;
    std::string source;
};

ApiResult<Found> read_credentials(const std::string& file) {
    const auto text = io::read_file(file, kMaxCredentialsBytes);
    if (!text)
        return tl::unexpected(
            ApiFailure{kExitUsage, fmt::format("{}: {}", file, text.error().what)});
    boost::system::error_code error;
    const json::value value = json::parse(*text, error);
    if (error || !value.is_object() || text_of(value.get_object(), "accessKey").empty() ||
        text_of(value.get_object(), "secretKey").empty()) {
        return tl::unexpected(ApiFailure{
            kExitUsage,
            file + R"(: should be {"accessKey":"...","secretKey":"..."}, as account.json is)"});
    }
    return Found{
        {text_of(value.get_object(), "accessKey"), text_of(value.get_object(), "secretKey")}, file};
}

/// Flag, environment, settings, data directory: the first that has a key.
ApiResult<Found> find_key(const ApiOptions& options,
                          const server::ConfigSources& sources,
                          const server::LoadedConfig& loaded) {
    if (!options.credentials.empty()) return read_credentials(options.credentials);
    const std::string access = variable(sources, "PARLEY_ACCESS_KEY");
    const std::string secret = variable(sources, "PARLEY_SECRET_KEY");
    if (access.empty() != secret.empty()) {
        return tl::unexpected(ApiFailure{
            kExitUsage, "PARLEY_ACCESS_KEY and PARLEY_SECRET_KEY are needed both, or neither"});
    }
    if (!access.empty()) return Found{{access, secret}, "PARLEY_ACCESS_KEY"};
    if (const std::string file = variable(sources, "PARLEY_CREDENTIALS"); !file.empty())
        return read_credentials(file);
    if (!loaded.error.empty()) return tl::unexpected(ApiFailure{kExitUsage, loaded.error});
    if (!loaded.config.account.access_key.empty()) {
        return Found{{loaded.config.account.access_key, loaded.config.account.secret_key},
                     "the settings"};
    }
    const std::string file = loaded.config.data_dir + "/account.json";
    if (!io::stamp_file(file)) {
        return tl::unexpected(
            ApiFailure{kExitUsage,
                       "no account key: set PARLEY_ACCESS_KEY and PARLEY_SECRET_KEY, or name a "
                       "file with --credentials or a "
                       "server's data directory with --data-dir"});
    }
    return read_credentials(file);
}

std::string hint_of(long status, std::string_view error) {
    if (status == 400) return "; --help says what each field takes";
    if (status == 429) return "; wait a while";
    if (status == 404) return "; this server does not have this call: it is older, or no parley";
    if (status >= 500 && status < 600) return "; the server's log says more";
    if (error == "app not found") return "; `parley app list` shows those of this account";
    if (error == "room not found" || error == "room not active") {
        return "; `parley room list` shows those that live";
    }
    if (error == "user not found") return "; `parley user list ROOM` shows who is there";
    return "";
}

int exit_code_of(long status) {
    switch (status) {
        case 400:
            return kExitUsage;
        case 401:
        case 403:
        case 429:
            return kExitRefused;
        case 404:
        case 612:
        case 615:
            return kExitNotFound;
        default:
            return kExitFailure;
    }
}

/// The answer is another party's: nothing in it reaches the terminal as it is.
ApiFailure explain(const HttpAnswer& answer, const std::string& key_source) {
    boost::system::error_code ec;
    const json::value value = json::parse(answer.body, ec);
    const bool is_ours = !ec && value.is_object();
    std::string text = is_ours ? printable(text_of(value.get_object(), "error")) : "";
    const std::string detail = is_ours ? printable(text_of(value.get_object(), "detail")) : "";
    if (answer.status == 401) {
        return {kExitRefused,
                fmt::format("the server does not take the key of {}: it is unknown or disabled, "
                            "the secret is another, or "
                            "the clocks differ by more than 15 minutes",
                            key_source)};
    }
    if (text.empty()) text = "the answer is not parley's";
    const std::string hint = hint_of(answer.status, text);
    if (!detail.empty()) text += ": " + detail;
    return {exit_code_of(answer.status), fmt::format("{} ({}){}", text, answer.status, hint)};
}

}  // namespace

ApiResult<ApiSession> ApiSession::open(const ApiOptions& options,
                                       const server::ConfigSources& sources) {
    // Beside a server its settings say where it is; elsewhere there are none, and that is no
    // mistake.
    const server::LoadedConfig loaded = server::load_config(sources);
    ApiSession session;
    auto key = find_key(options, sources, loaded);
    if (!key) return tl::unexpected(key.error());
    session.key_ = std::move(key->key);
    session.key_source_ = std::move(key->source);
    std::string server =
        !options.server.empty() ? options.server : variable(sources, "PARLEY_SERVER");
    if (server.empty()) {
        if (!loaded.error.empty()) return tl::unexpected(ApiFailure{kExitUsage, loaded.error});
        server = fmt::format("http://127.0.0.1:{}", loaded.config.http.port);
    }
    auto origin = parse_origin(server);
    if (!origin) return tl::unexpected(ApiFailure{kExitUsage, origin.error()});
    session.origin_ = *std::move(origin);
    session.ca_file_ =
        !options.ca_file.empty() ? options.ca_file : variable(sources, "PARLEY_CA_FILE");
    return session;
}

ApiResult<std::string> ApiSession::call_text(const std::string& method,
                                             const std::string& target,
                                             const std::string& body) const {
    constexpr const char* kType = "application/json";
    const std::string date =
        fmt::format("{:%Y%m%dT%H%M%SZ}",
                    fmt::gmtime(static_cast<std::time_t>(unix_seconds(io::read_wall_clock()))));
    const std::size_t mark = target.find('?');
    auth::SignedRequestView view;
    view.method = method;
    view.path = std::string_view(target).substr(0, mark);
    if (mark != std::string::npos) view.query = std::string_view(target).substr(mark + 1);
    view.host = origin_.host;
    view.headers.emplace_back("X-Qiniu-Date", date);
    view.body = body;
    HttpRequest request;
    request.method = method;
    request.url = origin_.base + target;
    request.body = body;
    request.ca_file = ca_file_;
    request.headers = {{"Host", origin_.host}, {"X-Qiniu-Date", date}};
    if (!body.empty()) {
        view.content_type = kType;
        request.headers.emplace_back("Content-Type", kType);
    }
    request.headers.emplace_back("Authorization", auth::sign_request(key_, view));
    auto answer = send_http(request);
    if (!answer) {
        const bool is_tls = answer.error().find("certificate") != std::string::npos;
        return tl::unexpected(ApiFailure{
            kExitUnreachable,
            fmt::format("{}: {}; {}",
                        origin_.base,
                        answer.error(),
                        is_tls ? "name the certificate to trust with --ca-file or PARLEY_CA_FILE"
                               : "is it running? --server or PARLEY_SERVER names another")});
    }
    if (answer->status != 200) return tl::unexpected(explain(*answer, key_source_));
    return std::move(answer->body);
}

ApiResult<json::object> ApiSession::call(const std::string& method,
                                         const std::string& target,
                                         const json::object* body) const {
    auto text = call_text(method, target, body != nullptr ? json::serialize(*body) : "");
    if (!text) return tl::unexpected(text.error());
    boost::system::error_code error;
    json::value value = json::parse(*text, error);
    if (error || !value.is_object()) {
        return tl::unexpected(
            ApiFailure{kExitFailure, origin_.base + ": the answer is not parley's"});
    }
    return std::move(value.get_object());
}

}  // namespace parley::cli
