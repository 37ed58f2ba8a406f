#include "server/app_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.h"

namespace parley::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFile = 1024 * 1024;
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
    const json::value* value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

StartResult<json::object> parse_object(const std::string& path, const std::string& text) {
    boost::system::error_code ec;
    json::value value = json::parse(text, ec);
    if (ec || !value.is_object()) return tl::unexpected(path + ": is damaged: no JSON object");
    return std::move(value.get_object());
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

rest::AppDefaults app_defaults(const Config& config) {
    rest::AppDefaults out;
    out.max_users = config.app.max_users;
    out.auto_close_ttl = config.app.auto_close_ttl;
    out.video_codec = config.app.video_codec == "vp8" ? "VP8" : "H264";
    out.no_auto_kick_user = config.app.no_auto_kick_user;
    return out;
}

tl::unexpected<Error> store_is_full() { return fail(Errc::kBusy, "too many writes wait for the store"); }

}  // namespace

std::string store_url(const Config& config) {
    return config.store_url.empty() ? config.data_dir + "/parley.db" : config.store_url;
}

StartResult<AppStore> AppStore::read(const Config& config) {
    auto out = load_files(config, nullptr);
    if (!out) return out;
    out->defaults_ = app_defaults(config);
    // The account alone is enough to sign tokens; the store only tells which apps there are.
    const std::string url = store_url(config);
    if (config.store_url.empty() && !io::stamp_file(url)) return out;
    auto connection = store::open_database(url);
    if (!connection) return tl::unexpected(connection.error());
    auto content = store::load_content(**connection);
    if (!content) return tl::unexpected(content.error());
    out->take(*std::move(content));
    return out;
}

StartResult<AppStore> AppStore::open(const Config& config, SecretSource& secrets, WallTime now) {
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
    auto out = load_files(config, &secrets);
    if (!out) return out;
    out->lock_ = std::move(*lock);
    auto opened = store::Store::open(store_url(config));
    if (!opened) return tl::unexpected(fmt::format("store: {} (setting store.url)", opened.error()));
    out->store_ = *std::move(opened);
    out->is_postgresql_ = store_url(config).starts_with("postgres");
    out->take(out->store_->take_content());
    if (auto done = out->complete(config, now); !done) return tl::unexpected(done.error());
    return out;
}

StartResult<AppStore> AppStore::load_files(const Config& config, SecretSource* secrets) {
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
    out.keys_[out.account_.access_key] = {out.account_.access_key, out.account_.secret_key, kFirstAccount};

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
    return out;
}

void AppStore::take(store::Content content) {
    events_ = std::move(content.events);
    take_accounts({std::move(content.accounts), std::move(content.keys)});
    usage_batch_ = content.usage_batch;
    for (rest::AppRecord& app : content.apps) {
        std::string id = app.app_id;
        apps_.emplace(std::move(id), std::move(app));
    }
    for (rest::JobRecord& job : content.jobs) {
        Jobs& jobs = jobs_[job.room];
        std::string id = job.id;
        jobs.emplace(std::move(id), std::move(job));
    }
    for (store::BanRecord& record : content.bans) {
        std::string user = record.ban.user_id;
        bans_[record.room].emplace(std::move(user), std::move(record.ban));
    }
    closed_rooms_.insert(content.closed_rooms.begin(), content.closed_rooms.end());
    for (rest::V2Room& room : content.v2_rooms) {
        std::string name = room.key.name;
        v2_rooms_[room.key.app_id].emplace(std::move(name), std::move(room));
    }
}

bool AppStore::take_accounts(store::AccountContent content) {
    std::map<std::int64_t, store::AccountRecord> accounts;
    for (store::AccountRecord& account : content.accounts) {
        const std::int64_t id = account.id;
        accounts.emplace(id, std::move(account));
    }
    std::map<std::string, store::KeyRecord, std::less<>> keys;
    keys[account_.access_key] = {account_.access_key, account_.secret_key, kFirstAccount};
    for (store::KeyRecord& key : content.keys) {
        const auto [at, is_new] = keys.try_emplace(key.access_key);
        if (is_new) {
            at->second = std::move(key);
        } else {
            // The first account's secret is the file's or the configuration's, whatever the store remembers.
            at->second.disabled = key.disabled;
        }
    }
    if (keys == keys_ && accounts == accounts_) return false;
    keys_ = std::move(keys);
    accounts_ = std::move(accounts);
    return true;
}

bool AppStore::works(const store::KeyRecord& key) const {
    const auto account = accounts_.find(key.account);
    return !key.disabled && (account == accounts_.end() || !account->second.disabled);
}

StartResult<void> AppStore::complete(const Config& config, WallTime now) {
    defaults_ = app_defaults(config);
    takes_v2_tokens_ = config.rest.v2_rooms;
    if (!apps_.empty()) return {};
    rest::AppRecord demo;
    demo.app_id = "demo";
    demo.title = "Demo";
    demo.uid = kFirstAccount;
    demo.created_at = demo.updated_at = now;
    if (auto written = store_->write_now(store::put_app(demo)); !written) return written;
    apps_.emplace("demo", std::move(demo));
    return {};
}

std::optional<std::string> AppStore::secret_key(std::string_view access_key) const {
    const auto found = keys_.find(access_key);
    if (found == keys_.end() || !works(found->second)) return std::nullopt;
    return found->second.secret_key;
}

bool AppStore::owns_app(std::string_view access_key, std::string_view app_id) const {
    const rest::AppRecord* app = find_app(app_id);
    const std::int64_t account = account_of(access_key);
    return app != nullptr && account != 0 && app->uid == account;
}

std::optional<signalling::AppSettings> AppStore::find(std::string_view app_id) const {
    const rest::AppRecord* app = find_app(app_id);
    if (app == nullptr) return std::nullopt;
    return rest::room_settings(*app, defaults_);
}

std::optional<signalling::AppSettings> AppStore::settings_of(const room::RoomKey& room) const {
    std::optional<signalling::AppSettings> settings = find(room.app_id);
    const rest::V2Room* v2 = find_v2_room(room);
    if (settings && v2 != nullptr && v2->user_max != 0) settings->max_users = v2->user_max;
    return settings;
}

std::optional<std::string> AppStore::v2_app(std::string_view access_key) const {
    const std::int64_t account = takes_v2_tokens_ ? account_of(access_key) : 0;
    return account == 0 ? std::nullopt : std::optional(rest::v2_app_id(account));
}

std::int64_t AppStore::account_of(std::string_view access_key) const {
    const auto found = keys_.find(access_key);
    return found == keys_.end() ? 0 : found->second.account;
}

std::optional<auth::AccountKey> AppStore::key_of(std::int64_t account) const {
    if (account == kFirstAccount && secret_key(account_.access_key)) return account_;
    for (const auto& [name, key] : keys_) {
        if (key.account == account && works(key)) return auth::AccountKey{key.access_key, key.secret_key};
    }
    return std::nullopt;
}

std::vector<rest::KeyInfo> AppStore::keys_of(std::int64_t account) const {
    std::vector<rest::KeyInfo> out;
    for (const auto& [name, key] : keys_) {
        if (key.account != account) continue;
        out.push_back({name, key.created_at, key.disabled, name == account_.access_key});
    }
    return out;
}

Result<void> AppStore::put_key(store::KeyRecord key) {
    if (!store_->write(store::put_key(key))) return store_is_full();
    key_changes_ = {key_changes_.count + 1, store_->last_ticket()};
    std::string name = key.access_key;
    keys_.insert_or_assign(std::move(name), std::move(key));
    return {};
}

Result<void> AppStore::disable_key(std::string_view access_key, bool disabled) {
    const auto found = keys_.find(access_key);
    if (found == keys_.end()) return fail(Errc::kNotFound, "key not found");
    store::KeyRecord key = found->second;
    key.disabled = disabled;
    return put_key(std::move(key));
}

Result<void> AppStore::erase_key(const std::string& access_key) {
    if (!store_->write(store::erase_key(access_key))) return store_is_full();
    key_changes_ = {key_changes_.count + 1, store_->last_ticket()};
    keys_.erase(access_key);
    return {};
}

std::vector<std::string> AppStore::app_ids() const {
    std::vector<std::string> out;
    out.reserve(apps_.size());
    for (const auto& [id, app] : apps_) out.push_back(id);
    return out;
}

const rest::AppRecord* AppStore::find_app(std::string_view app_id) const {
    const auto found = apps_.find(app_id);
    return found == apps_.end() ? nullptr : &found->second;
}

std::vector<const rest::AppRecord*> AppStore::apps_of(std::int64_t account) const {
    std::vector<const rest::AppRecord*> out;
    for (const auto& [id, app] : apps_) {
        if (app.uid == account) out.push_back(&app);
    }
    return out;
}

const rest::JobRecord* AppStore::find_job(const room::RoomKey& room, std::string_view id) const {
    const auto jobs = jobs_.find(room);
    if (jobs == jobs_.end()) return nullptr;
    const auto found = jobs->second.find(id);
    return found == jobs->second.end() ? nullptr : &found->second;
}

std::vector<const rest::JobRecord*> AppStore::jobs_of(const room::RoomKey& room) const {
    std::vector<const rest::JobRecord*> out;
    const auto jobs = jobs_.find(room);
    if (jobs == jobs_.end()) return out;
    for (const auto& [id, job] : jobs->second) out.push_back(&job);
    return out;
}

std::vector<const rest::JobRecord*> AppStore::jobs_of_app(std::string_view app_id) const {
    std::vector<const rest::JobRecord*> out;
    for (auto at = jobs_.lower_bound({std::string(app_id), {}}); at != jobs_.end() && at->first.app_id == app_id;
         ++at) {
        for (const auto& [id, job] : at->second) out.push_back(&job);
    }
    return out;
}

Result<void> AppStore::put_app(const rest::AppRecord& app) {
    if (!store_->write(store::put_app(app))) return store_is_full();
    apps_.insert_or_assign(app.app_id, app);
    return {};
}

Result<void> AppStore::erase_app(const std::string& app_id) {
    if (!store_->write(store::erase_app(app_id))) return store_is_full();
    if (!store_->write(store::erase_jobs_of_app(app_id))) return store_is_full();
    for (store::Statement& statement : store::erase_rooms_of_app(app_id)) {
        if (!store_->write(std::move(statement))) return store_is_full();
    }
    std::erase_if(bans_, [&](const auto& entry) { return entry.first.app_id == app_id; });
    std::erase_if(closed_rooms_, [&](const auto& room) { return room.app_id == app_id; });
    std::erase_if(jobs_, [&](const auto& entry) { return entry.first.app_id == app_id; });
    v2_rooms_.erase(app_id);
    apps_.erase(app_id);
    return {};
}

Result<void> AppStore::put_job(const rest::JobRecord& job, std::vector<store::Statement> with) {
    with.push_back(store::put_job(job));
    if (!store_->write_together(std::move(with))) return store_is_full();
    Jobs& jobs = jobs_[job.room];
    jobs.insert_or_assign(job.id, job);
    if (jobs.size() <= kMaxJobsPerRoom) return {};
    auto oldest = jobs.end();
    for (auto at = jobs.begin(); at != jobs.end(); ++at) {
        if (at->second.state == rest::JobState::kRunning || at->first == job.id) continue;
        if (oldest == jobs.end() || at->second.updated_at < oldest->second.updated_at) oldest = at;
    }
    if (oldest == jobs.end()) return {};
    if (!store_->write(store::erase_job(job.room, oldest->first))) return store_is_full();
    jobs.erase(oldest);
    return {};
}

Result<void> AppStore::erase_job(const room::RoomKey& room, const std::string& id) {
    if (!store_->write(store::erase_job(room, id))) return store_is_full();
    if (const auto jobs = jobs_.find(room); jobs != jobs_.end()) {
        jobs->second.erase(id);
        if (jobs->second.empty()) jobs_.erase(jobs);
    }
    return {};
}

bool AppStore::is_banned(const room::RoomKey& room, std::string_view user, WallTime wall) const {
    const auto bans = bans_.find(room);
    if (bans == bans_.end()) return false;
    const auto found = bans->second.find(user);
    return found != bans->second.end() && (!found->second.until || wall < *found->second.until);
}

const rest::V2Room* AppStore::find_v2_room(const room::RoomKey& room) const {
    const auto rooms = v2_rooms_.find(room.app_id);
    if (rooms == v2_rooms_.end()) return nullptr;
    const auto found = rooms->second.find(room.name);
    return found == rooms->second.end() ? nullptr : &found->second;
}

Result<void> AppStore::put_v2_room(const rest::V2Room& room) {
    V2Rooms& rooms = v2_rooms_[room.key.app_id];
    if (rooms.size() >= rest::kMaxV2Rooms && !rooms.contains(room.key.name)) {
        return fail(Errc::kTooLarge, "too many rooms");
    }
    if (!store_->write(store::put_v2_room(room))) return store_is_full();
    rooms.insert_or_assign(room.key.name, room);
    return {};
}

Result<void> AppStore::erase_v2_room(const room::RoomKey& room) {
    if (!store_->write(store::erase_v2_room(room))) return store_is_full();
    if (const auto rooms = v2_rooms_.find(room.app_id); rooms != v2_rooms_.end()) rooms->second.erase(room.name);
    return {};
}

std::optional<store::Statement> AppStore::note_use(const room::RoomKey& room) {
    const rest::V2Room* found = find_v2_room(room);
    if (found == nullptr || found->was_used) return std::nullopt;
    rest::V2Room& known = v2_rooms_.find(room.app_id)->second.find(room.name)->second;
    known.was_used = true;
    return store::put_v2_room(known);
}

Result<void> AppStore::set_room_open(const room::RoomKey& room, bool open) {
    if (open == !closed_rooms_.contains(room)) return {};
    if (!open && closed_rooms_.size() >= kMaxClosedRooms) return fail(Errc::kBusy, "too many closed rooms");
    if (!store_->write(open ? store::erase_closed_room(room) : store::put_closed_room(room))) return store_is_full();
    if (open) {
        closed_rooms_.erase(room);
    } else {
        closed_rooms_.insert(room);
    }
    return {};
}

std::vector<rest::Ban> AppStore::bans(const room::RoomKey& room,
                                      WallTime wall,
                                      std::string_view after,
                                      std::size_t limit) const {
    std::vector<rest::Ban> out;
    const auto bans = bans_.find(room);
    if (bans == bans_.end()) return out;
    for (auto at = bans->second.upper_bound(after); at != bans->second.end() && out.size() < limit; ++at) {
        if (!at->second.until || wall < *at->second.until) out.push_back(at->second);
    }
    return out;
}

Result<void> AppStore::put_ban(WallTime wall, const room::RoomKey& room, const rest::Ban& ban) {
    Bans& bans = bans_[room];
    for (auto at = bans.begin(); at != bans.end();) {
        const bool over = at->second.until && *at->second.until <= wall;
        if (over && !store_->write(store::erase_ban(room, at->first))) return store_is_full();
        at = over ? bans.erase(at) : std::next(at);
    }
    if (bans.size() >= rest::RoomControl::kMaxBansPerRoom && !bans.contains(ban.user_id)) {
        return fail(Errc::kTooLarge, "too many bans");
    }
    if (!store_->write(store::put_ban(room, ban))) return store_is_full();
    bans.insert_or_assign(ban.user_id, ban);
    return {};
}

Result<void> AppStore::erase_ban(WallTime wall, const room::RoomKey& room, const std::string& user) {
    const bool in_force = is_banned(room, user, wall);
    if (!in_force) return fail(Errc::kNotFound, "ban not found");
    if (!store_->write(store::erase_ban(room, user))) return store_is_full();
    const auto bans = bans_.find(room);
    bans->second.erase(user);
    if (bans->second.empty()) bans_.erase(bans);
    return {};
}

}  // namespace parley::server
