#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "auth/room_token.h"
#include "base/rng.h"
#include "io/files.h"
#include "server/config.h"
#include "signalling/app_settings.h"

namespace parley::server {

/// Start-up fails with one line for the operator.
template <class T>
using StartResult = tl::expected<T, std::string>;

/// The account, its apps and this server's own signing key, kept as small files in the data directory:
/// `account.json`, `apps.json`, `signing.key` (mode 0600), the directory itself 0700.
class AppStore final : public auth::KeyLookup, public signalling::AppLookup {
public:
    /// Only reads; for commands that need keys beside a running server.
    static StartResult<AppStore> read(const Config& config);
    /// Locks the directory against a second server and makes what is missing.
    static StartResult<AppStore> open(const Config& config, SecretSource& secrets);

    AppStore(AppStore&&) = default;
    AppStore& operator=(AppStore&&) = default;

    /// True when `open` has just made the account: the caller shows the keys, once.
    [[nodiscard]] bool is_new() const { return is_new_; }
    [[nodiscard]] const auth::AccountKey& account() const { return account_; }
    [[nodiscard]] const std::string& signing_key() const { return signing_key_; }
    [[nodiscard]] std::vector<std::string> app_ids() const;
    /// Empty also when there is no such app.
    [[nodiscard]] std::string title(std::string_view app_id) const;

    [[nodiscard]] std::optional<std::string> secret_key(std::string_view access_key) const override;
    [[nodiscard]] bool owns_app(std::string_view access_key, std::string_view app_id) const override;
    [[nodiscard]] std::optional<signalling::AppSettings> find(std::string_view app_id) const override;
    [[nodiscard]] const auth::KeyLookup* keys() const override { return this; }

private:
    AppStore() = default;
    static StartResult<AppStore> load(const Config& config, SecretSource* secrets);

    std::optional<io::FileLock> lock_;
    auth::AccountKey account_;
    std::string signing_key_;
    struct App {
        std::string title;
        signalling::AppSettings settings;
    };
    std::map<std::string, App, std::less<>> apps_;
    bool is_new_ = false;
};

}  // namespace parley::server
