#include "server/app_store.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"

namespace parley::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFile = 16 * 1024 * 1024;
constexpr std::size_t kKeyLength = 40;
constexpr std::size_t kSigningKeyBytes = 32;

std::string explain(const std::string& path, const Error& error) {
    switch (error.code) {
        case Errc::kForbidden: return fmt::format("{}: no permission ({})", path, error.what);
        case Errc::kNotFound: return fmt::format("{}: does not exist", path);
        default: return fmt::format("{}: {}", path, error.what);
    }
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool flag_of(const json::object& object, std::string_view name, bool fallback) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_bool() ? value->get_bool() : fallback;
}

std::int64_t number_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

StartResult<json::object> parse_object(const std::string& path, const std::string& text) {
    boost::system::error_code ec;
    json::value value = json::parse(text, ec);
    if (ec || !value.is_object()) return tl::unexpected(path + ": is damaged: no JSON object");
    return std::move(value.get_object());
}

signalling::AppSettings default_settings(const Config& config) {
    signalling::AppSettings out;
    out.max_users = config.app.max_users;
    out.no_auto_kick_user = config.app.no_auto_kick_user;
    out.auto_close_ttl = config.app.auto_close_ttl;
    out.video_codec = config.app.video_codec == "vp8" ? sfu::Codec::kVp8 : sfu::Codec::kH264;
    return out;
}

/// Names as in the REST API's app object; what is absent or 0 follows the configuration.
signalling::AppSettings read_settings(const json::object& app, const Config& config) {
    signalling::AppSettings out = default_settings(config);
    if (const std::int64_t users = number_of(app, "maxUsers"); users > 0) {
        out.max_users = static_cast<std::uint32_t>(std::min<std::int64_t>(users, 100'000));
    }
    if (const std::int64_t ttl = number_of(app, "autoCloseTtl"); ttl > 0) {
        out.auto_close_ttl = std::chrono::seconds(std::min<std::int64_t>(ttl, 86'400 * 365));
    }
    out.no_auto_kick_user = flag_of(app, "noAutoKickUser", out.no_auto_kick_user);
    out.no_auto_close_room = flag_of(app, "noAutoCloseRoom", out.no_auto_close_room);
    out.no_auto_create_room = flag_of(app, "noAutoCreateRoom", out.no_auto_create_room);
    const std::string codec = text_of(app, "videoCodec");
    if (codec == "H264" || codec == "h264") out.video_codec = sfu::Codec::kH264;
    if (codec == "VP8" || codec == "vp8") out.video_codec = sfu::Codec::kVp8;
    return out;
}

/// The file's text; if it is not there, and it may be made, what `make` gives, written first.
template <class Make>
StartResult<std::string> read_or_make(const std::string& path, bool may_make, bool& made, Make make) {
    auto text = io::read_file(path, kMaxFile);
    if (text) return std::move(*text);
    if (text.error().code != Errc::kNotFound || !may_make) return tl::unexpected(explain(path, text.error()));
    std::string fresh = make();
    if (const auto written = io::write_file_durably(path, fresh, io::kOwnerOnly); !written) {
        return tl::unexpected(explain(path, written.error()));
    }
    made = true;
    return fresh;
}

}  // namespace

StartResult<AppStore> AppStore::read(const Config& config) { return load(config, nullptr); }

StartResult<AppStore> AppStore::open(const Config& config, SecretSource& secrets) {
    if (const auto made = io::make_directory(config.data_dir, io::kOwnerOnlyDirectory); !made) {
        return tl::unexpected(fmt::format("data directory {}", explain(config.data_dir, made.error())));
    }
    auto lock = io::FileLock::acquire(config.data_dir + "/lock");
    if (!lock) {
        if (lock.error().code == Errc::kBusy) {
            return tl::unexpected(
                fmt::format("data directory {}: another parley server uses it", config.data_dir));
        }
        return tl::unexpected(fmt::format("data directory {}", explain(config.data_dir, lock.error())));
    }
    auto store = load(config, &secrets);
    if (store) store->lock_ = std::move(*lock);
    return store;
}

StartResult<AppStore> AppStore::load(const Config& config, SecretSource* secrets) {
    AppStore out;
    const bool may_make = secrets != nullptr;
    bool made_other = false;

    if (!config.account.access_key.empty()) {
        out.account_ = {config.account.access_key, config.account.secret_key};
    } else {
        const std::string path = config.data_dir + "/account.json";
        const auto text = read_or_make(path, may_make, out.is_new_, [&] {
            return json::serialize(json::object{{"accessKey", secrets->alphanumeric(kKeyLength)},
                                                {"secretKey", secrets->alphanumeric(kKeyLength)}}) +
                   "\n";
        });
        if (!text) return tl::unexpected(text.error());
        const auto account = parse_object(path, *text);
        if (!account) return tl::unexpected(account.error());
        out.account_ = {text_of(*account, "accessKey"), text_of(*account, "secretKey")};
        if (out.account_.access_key.empty() || out.account_.secret_key.empty()) {
            return tl::unexpected(path + ": is damaged: accessKey or secretKey is missing");
        }
    }

    const std::string key_path = config.data_dir + "/signing.key";
    const auto key_text = read_or_make(key_path, may_make, made_other, [&] {
        Bytes key(kSigningKeyBytes);
        secrets->fill(key);
        return hex_encode(key) + "\n";
    });
    if (key_text) {
        const auto key = hex_decode(std::string_view(*key_text).substr(0, kSigningKeyBytes * 2));
        if (!key || key->size() != kSigningKeyBytes) {
            return tl::unexpected(key_path + ": is damaged: not 64 hexadecimal digits");
        }
        out.signing_key_ = as_text_view(*key);
    } else if (may_make) {
        return tl::unexpected(key_text.error());
    }

    const std::string apps_path = config.data_dir + "/apps.json";
    const auto apps_text = read_or_make(apps_path, may_make, made_other, [] {
        return json::serialize(
                   json::object{{"apps", json::array{json::object{{"appId", "demo"}, {"title", "Demo"}}}}}) +
               "\n";
    });
    if (apps_text) {
        const auto root = parse_object(apps_path, *apps_text);
        if (!root) return tl::unexpected(root.error());
        const json::value* apps = root->if_contains("apps");
        if (apps == nullptr || !apps->is_array()) {
            return tl::unexpected(apps_path + ": is damaged: no list of apps");
        }
        for (const json::value& app : apps->get_array()) {
            if (!app.is_object()) continue;
            const std::string id = text_of(app.get_object(), "appId");
            if (id.empty()) continue;
            out.apps_.emplace(id, App{text_of(app.get_object(), "title"), read_settings(app.get_object(), config)});
        }
    } else if (may_make) {
        return tl::unexpected(apps_text.error());
    }
    return out;
}

std::vector<std::string> AppStore::app_ids() const {
    std::vector<std::string> out;
    for (const auto& [id, app] : apps_) out.push_back(id);
    return out;
}

std::optional<std::string> AppStore::secret_key(std::string_view access_key) const {
    if (!constant_time_equal(as_bytes_view(access_key), as_bytes_view(account_.access_key))) return std::nullopt;
    return account_.secret_key;
}

bool AppStore::owns_app(std::string_view access_key, std::string_view app_id) const {
    return access_key == account_.access_key && apps_.find(app_id) != apps_.end();
}

std::optional<signalling::AppSettings> AppStore::find(std::string_view app_id) const {
    const auto found = apps_.find(app_id);
    if (found == apps_.end()) return std::nullopt;
    return found->second.settings;
}

std::string AppStore::title(std::string_view app_id) const {
    const auto found = apps_.find(app_id);
    return found == apps_.end() ? std::string() : found->second.title;
}

}  // namespace parley::server
