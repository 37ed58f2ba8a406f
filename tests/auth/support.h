#pragma once

#include <map>
#include <set>
#include <string>

#include "auth/room_token.h"

namespace parley::auth {

/// The keys of the published vectors (REST sections 2.4 and 3.4).
inline const AccountKey kTestKey{"AK-test-0123456789", "SK-test-abcdefghij"};

struct FakeKeys final : KeyLookup {
    std::map<std::string, std::string, std::less<>> keys{
        {kTestKey.access_key, kTestKey.secret_key}};
    std::set<std::string, std::less<>> apps{"desls83s2"};

    std::optional<std::string> secret_key(std::string_view access_key) const override {
        const auto at = keys.find(access_key);
        return at == keys.end() ? std::nullopt : std::optional(at->second);
    }
    bool owns_app(std::string_view access_key, std::string_view app_id) const override {
        return access_key == kTestKey.access_key && apps.contains(app_id);
    }
    std::optional<std::string> app_of_v2;
    std::optional<std::string> v2_app(std::string_view) const override { return app_of_v2; }
};

inline WallTime at_seconds(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

}  // namespace parley::auth
