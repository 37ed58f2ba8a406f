#include "room/message_log.h"

#include <algorithm>
#include <utility>

namespace parley::room {

bool Message::is_for(std::string_view user) const {
    if (user == sender) return false;
    return targets.empty() || std::find(targets.begin(), targets.end(), user) != targets.end();
}

void MessageLog::add(Message message) {
    if (capacity_ == 0) return;
    if (messages_.size() == capacity_) messages_.pop_front();
    messages_.push_back(std::move(message));
}

std::vector<Message> MessageLog::missed(std::string_view user, std::int64_t after) const {
    std::vector<Message> out;
    for (const Message& message : messages_) {
        if (message.msgsn > after && message.is_for(user)) out.push_back(message);
    }
    return out;
}

}  // namespace parley::room
