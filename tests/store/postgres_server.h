#pragma once

#include <optional>
#include <string>

namespace parley::store {

/// A real PostgreSQL of its own in a folder below the system's temporary one, reached by a Unix
/// socket only. Made once for the test program, stopped and removed at its end.
class PostgresServer {
public:
    /// nullptr when this machine has no PostgreSQL; `why_not` then says so.
    static PostgresServer* instance(std::string& why_not);
    ~PostgresServer();
    PostgresServer(const PostgresServer&) = delete;
    PostgresServer& operator=(const PostgresServer&) = delete;

    /// URL of a new, empty database.
    std::string new_database();
    /// As a crash of the machine would: no shutdown, then started again.
    void kill_and_restart();

private:
    PostgresServer() = default;
    bool start();
    std::string folder_;
    std::string programs_;
    int count_ = 0;
};

}  // namespace parley::store
