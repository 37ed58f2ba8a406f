#include "room/rulings.h"

namespace parley::room {
namespace {

tl::unexpected<Error> too_many() { return fail(Errc::kTooLarge, "too many decisions in one room"); }

}  // namespace

Rulings::Ruling* Rulings::entry(const std::string& user) {
    const auto found = users_.find(user);
    if (found != users_.end()) return &found->second;
    return users_.size() >= kMaxUsers ? nullptr : &users_[user];
}

const Rulings::Ruling* Rulings::find(std::string_view user) const {
    const auto found = users_.find(user);
    return found == users_.end() ? nullptr : &found->second;
}

Result<void> Rulings::lock_all(Kinds kinds, const std::vector<std::string>& spared) {
    if (users_.size() + spared.size() > kMaxUsers) return too_many();
    everybody_ |= kinds;
    for (auto& [user, ruling] : users_) ruling.spared -= kinds;
    for (const std::string& user : spared) {
        Ruling& ruling = users_[user];
        ruling.spared |= kinds;
        ruling.locked -= kinds;
    }
    return {};
}

Result<void> Rulings::unlock_all(Kinds kinds, const std::vector<std::string>& spared) {
    if (users_.size() + spared.size() > kMaxUsers) return too_many();
    std::map<std::string, Kinds> held;
    for (const std::string& user : spared) {
        Kinds locked = locked_for(user);
        locked &= kinds;
        if (locked.any()) held[user] = locked;
    }
    everybody_ -= kinds;
    for (auto& [user, ruling] : users_) {
        ruling.locked -= kinds;
        ruling.spared -= kinds;
    }
    for (const auto& [user, locked] : held) users_[user].locked |= locked;
    return {};
}

Result<void> Rulings::lock_user(const std::string& user, Kinds kinds) {
    Ruling* ruling = entry(user);
    if (ruling == nullptr) return too_many();
    ruling->locked |= kinds;
    ruling->spared -= kinds;
    return {};
}

Result<void> Rulings::unlock_user(const std::string& user, Kinds kinds) {
    Kinds held = everybody_;
    held &= kinds;
    if (!held.any() && find(user) == nullptr) return {};
    Ruling* ruling = entry(user);
    if (ruling == nullptr) return too_many();
    ruling->locked -= kinds;
    ruling->spared |= held;
    return {};
}

Result<void> Rulings::lock_track(const std::string& track) {
    if (tracks_.size() >= kMaxUsers && !tracks_.contains(track)) return too_many();
    tracks_.insert(track);
    return {};
}

void Rulings::unlock_track(std::string_view track) {
    const auto found = tracks_.find(track);
    if (found != tracks_.end()) tracks_.erase(found);
}

Kinds Rulings::locked_for(std::string_view user) const {
    Kinds out = everybody_;
    if (const Ruling* ruling = find(user)) {
        out -= ruling->spared;
        out |= ruling->locked;
    }
    return out;
}

bool Rulings::is_locked(std::string_view user, sfu::MediaKind kind, std::string_view track) const {
    return locked_for(user).has(kind) || tracks_.contains(track);
}

Result<void> Rulings::set_rights(const std::string& user,
                                 std::optional<Permission> permission,
                                 std::optional<bool> publish,
                                 std::optional<bool> subscribe) {
    Ruling* ruling = entry(user);
    if (ruling == nullptr) return too_many();
    if (permission) ruling->permission = permission;
    if (publish) ruling->rights.publish = *publish;
    if (subscribe) ruling->rights.subscribe = *subscribe;
    return {};
}

Privileges Rulings::allowed(std::string_view user, Privileges asked) const {
    if (const Ruling* ruling = find(user)) {
        asked.publish &= ruling->rights.publish;
        asked.subscribe &= ruling->rights.subscribe;
    }
    return asked;
}

Permission Rulings::permission(std::string_view user, Permission of_token) const {
    const Ruling* ruling = find(user);
    return ruling == nullptr ? of_token : ruling->permission.value_or(of_token);
}

}  // namespace parley::room
