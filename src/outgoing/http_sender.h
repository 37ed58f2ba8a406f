#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gate/url_gate.h"

namespace parley::outgoing {

struct Post {
    std::uint64_t id = 0;  ///< the caller's; comes back with the outcome
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    Duration timeout = 5s;  ///< for all of it
};
struct Outcome {
    std::uint64_t id = 0;
    int status = 0;     ///< of the answer; 0: there was none
    std::string error;  ///< one line for the operator; empty with a status

    [[nodiscard]] bool is_success() const { return status >= 200 && status < 300; }
};

/// Many POST requests at a time on the caller's thread, which is the only one to call it, but for
/// `wake`.
class HttpSender {
public:
    static constexpr std::size_t kMaxAnswerBytes = 64 * 1024;

    explicit HttpSender(gate::UrlGate gate);
    ~HttpSender();
    HttpSender(const HttpSender&) = delete;
    HttpSender& operator=(const HttpSender&) = delete;

    /// What the gate says of the URL; nothing is sent then.
    Result<void> start(Post post);
    /// Returns when something is to be done, `wake` was called, or after `patience`.
    void wait(Duration patience);
    /// Those that ended since the last call.
    [[nodiscard]] std::vector<Outcome> take_outcomes();
    /// Thread-safe: ends a `wait`, or the next one.
    void wake();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::outgoing
