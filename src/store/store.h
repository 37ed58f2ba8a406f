#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/sql.h"
#include "store/tables.h"

namespace parley::store {

/// Writes of one process, in the order they were given, on a thread of its own. Several that wait
/// together are committed together.
class Store {
public:
    /// Number of a write; a ticket is flushed when it and all before it are on disk.
    using Ticket = std::uint64_t;
    static constexpr std::size_t kMaxPending = 100'000;

    /// Called on the store's thread after each try: everything up to `flushed` is on disk.
    /// `problem` is empty, or says why the rest has to wait; it is tried again by itself.
    using Progress = std::function<void(Ticket flushed, const std::string& problem)>;

    /// Opens, migrates and reads; starts no thread yet.
    static SqlResult<std::unique_ptr<Store>> open(const std::string& url);
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// What was there when it was opened; to be taken once.
    [[nodiscard]] Content take_content();
    /// Writes at once and waits; before `start` only.
    SqlResult<void> write_now(const Statement& statement);

    void start(Progress progress);
    /// Thread-safe. False, and nothing queued, when kMaxPending writes wait.
    bool write(Statement statement);
    /// The same for a change of several statements: all of them come to disk, or none.
    bool write_together(std::vector<Statement> change);
    /// The newest write's ticket; 0 before the first.
    [[nodiscard]] Ticket last_ticket() const;
    [[nodiscard]] std::size_t pending() const;
    /// Flushes what it can within some seconds, and ends the thread.
    void stop();

private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace parley::store
