#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/sql.h"

namespace parley::store {

/// Questions to the store on a thread and a connection of their own, so that nobody waits for them.
class Reader {
public:
    static constexpr std::size_t kMaxWaiting = 256;
    using Work = std::function<void(Connection&)>;

    static SqlResult<std::unique_ptr<Reader>> start(const std::string& url);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Thread-safe. False, and nothing is done, when kMaxWaiting wait.
    bool ask(Work work);
    /// What waits is forgotten.
    void stop();

private:
    struct Impl;
    explicit Reader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::store
