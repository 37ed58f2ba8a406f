#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "room/types.h"
#include "sfu/media_api.h"

namespace parley::room {

/// Audio, video, or both.
struct Kinds {
    bool audio = false;
    bool video = false;

    [[nodiscard]] bool has(sfu::MediaKind kind) const {
        return kind == sfu::MediaKind::kAudio ? audio : video;
    }
    [[nodiscard]] bool any() const { return audio || video; }
    Kinds& operator|=(Kinds other) {
        audio |= other.audio;
        video |= other.video;
        return *this;
    }
    Kinds& operator&=(Kinds other) {
        audio &= other.audio;
        video &= other.video;
        return *this;
    }
    Kinds& operator-=(Kinds other) {
        audio &= !other.audio;
        video &= !other.video;
        return *this;
    }
    friend bool operator==(const Kinds&, const Kinds&) = default;
};

/// What the app server has decided about the users of one room: who may not unmute himself, and who
/// may do what. By user id, not by member, so that nobody escapes by joining again; it lives as
/// long as the room.
class Rulings {
public:
    static constexpr std::size_t kMaxUsers = 4'096;  ///< beyond: kTooLarge, and nothing changed

    /// Everybody but `spared`, those who join later included. Earlier exceptions are over.
    Result<void> lock_all(Kinds kinds, const std::vector<std::string>& spared);
    /// What holds for `spared` stays.
    Result<void> unlock_all(Kinds kinds, const std::vector<std::string>& spared);
    Result<void> lock_user(const std::string& user, Kinds kinds);
    /// Also out of a lock on everybody.
    Result<void> unlock_user(const std::string& user, Kinds kinds);
    Result<void> lock_track(const std::string& track);
    void unlock_track(std::string_view track);

    [[nodiscard]] Kinds locked_for_all() const { return everybody_; }
    [[nodiscard]] Kinds locked_for(std::string_view user) const;
    [[nodiscard]] bool is_locked(std::string_view user,
                                 sfu::MediaKind kind,
                                 std::string_view track) const;

    /// An absent part leaves what was decided before.
    Result<void> set_rights(const std::string& user,
                            std::optional<Permission> permission,
                            std::optional<bool> publish,
                            std::optional<bool> subscribe);
    /// What is left of what a client asks for.
    [[nodiscard]] Privileges allowed(std::string_view user, Privileges asked) const;
    [[nodiscard]] Permission permission(std::string_view user, Permission of_token) const;

private:
    struct Ruling {
        Kinds locked;
        Kinds spared;
        Privileges rights;  ///< the most that it may have
        std::optional<Permission> permission;
    };
    Ruling* entry(const std::string& user);
    [[nodiscard]] const Ruling* find(std::string_view user) const;

    Kinds everybody_;
    std::map<std::string, Ruling, std::less<>> users_;
    std::set<std::string, std::less<>> tracks_;
};

}  // namespace parley::room
