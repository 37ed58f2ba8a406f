#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace parley::room {

/// A custom message as members see it. `targets` empty: everybody but the sender.
struct Message {
    std::string msgid;
    std::string sender;
    std::string type;
    std::string text;
    std::int64_t msgts = 0;  ///< ms since 1970
    std::int64_t msgsn = 0;
    std::vector<std::string> targets;

    [[nodiscard]] bool is_for(std::string_view user) const;
};

/// The room's message numbers and its last custom messages, for members that were away (protocol
/// section 3.8). Bounded: the oldest message is forgotten first, and is then lost to who was away.
class MessageLog {
public:
    /// Numbers begin at `first`. A room that is made again must not fall behind the number that its
    /// members saw last, therefore the caller gives the wall clock in milliseconds.
    MessageLog(std::int64_t first, std::size_t capacity) : next_(first), capacity_(capacity) {}

    /// One counter for custom and quality messages.
    std::int64_t take_number() { return next_++; }
    [[nodiscard]] std::int64_t last_number() const { return next_ - 1; }
    void add(Message message);
    /// Messages with a number above `after` that `user` should have had, oldest first.
    [[nodiscard]] std::vector<Message> missed(std::string_view user, std::int64_t after) const;
    [[nodiscard]] std::size_t size() const { return messages_.size(); }

private:
    std::int64_t next_;
    std::size_t capacity_;
    std::deque<Message> messages_;
};

}  // namespace parley::room
