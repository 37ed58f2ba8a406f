#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

/// Room tokens (REST section 3): who may join which room until when, signed by the account's key.
namespace parley::auth {

inline constexpr std::size_t kMaxRoomTokenBytes = 4096;
inline constexpr std::size_t kMaxRoomNameBytes = 64;
inline constexpr std::size_t kMaxUserIdBytes = 50;

/// Wire codes of the signalling protocol for a refused token.
inline constexpr int kCodeTokenWrong = 10001;
inline constexpr int kCodeTokenExpired = 10002;

enum class Permission : std::uint8_t { kUser, kAdmin };

struct RoomClaims {
    std::string app_id;
    std::string room_name;
    std::string user_id;
    WallTime expire_at;
    Permission permission = Permission::kUser;
    friend bool operator==(const RoomClaims&, const RoomClaims&) = default;
};

struct AccountKey {
    std::string access_key;
    std::string secret_key;
};

/// Where account keys are looked up. Called on the control loop only; must not block.
class KeyLookup {
public:
    virtual ~KeyLookup() = default;
    /// The secret key of an account; nullopt when there is no such account.
    [[nodiscard]] virtual std::optional<std::string> secret_key(
        std::string_view access_key) const = 0;
    /// Whether the app exists and belongs to the account.
    [[nodiscard]] virtual bool owns_app(std::string_view access_key,
                                        std::string_view app_id) const = 0;
    /// The app that v2 tokens of the key's account speak of (REST section 15); nullopt: such tokens
    /// are not taken.
    [[nodiscard]] virtual std::optional<std::string> v2_app(std::string_view) const {
        return std::nullopt;
    }
};

/// Letters, digits, `_` and `-`, from one character on (REST section 3.1, relaxed lower bound).
bool is_room_name(std::string_view text);
bool is_user_id(std::string_view text);

std::string mint_room_token(const AccountKey& key, const RoomClaims& claims);

/// In the order of REST section 3.3; the signature is checked over the third part as received. A v1
/// or v2 token (REST section 15) names no app: its claims have `KeyLookup::v2_app`.
/// kExpired is wire code 10002, every other error 10001; see `wire_code`.
Result<RoomClaims> verify_room_token(std::string_view token, const KeyLookup& keys, WallTime now);

int wire_code(const Error& error);

}  // namespace parley::auth
