#include "postgres_server.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "store/sql.h"

namespace parley::store {
namespace {

/// PostgreSQL refuses to run as root; the package brings a user for it.
std::string as_its_user(const std::string& command) {
    return ::geteuid() == 0 ? "runuser -u postgres -- " + command : command;
}

bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

std::string find_programs() {
    std::error_code ec;
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ec)) {
        const std::string bin = entry.path().string() + "/bin";
        if (std::filesystem::exists(bin + "/initdb") && bin > newest) newest = bin;
    }
    return newest;
}

}  // namespace

PostgresServer* PostgresServer::instance(std::string& why_not) {
    static std::string problem;
    static const std::unique_ptr<PostgresServer> server = [] {
        std::unique_ptr<PostgresServer> made(new PostgresServer);
        made->programs_ = find_programs();
        if (made->programs_.empty()) {
            problem = "PostgreSQL's programs are not installed (package postgresql-15)";
            return std::unique_ptr<PostgresServer>();
        }
        std::string name = (std::filesystem::temp_directory_path() / "parley-pg-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) return std::unique_ptr<PostgresServer>();
        made->folder_ = name;
        std::filesystem::permissions(name, std::filesystem::perms::all);
        const std::string init = made->programs_ + "/initdb -D " + name +
                                 "/data -U postgres -A trust -E UTF8 --no-sync --locale=C";
        if (!run(as_its_user(init)) || !made->start()) {
            problem = "PostgreSQL does not start";
            return std::unique_ptr<PostgresServer>();
        }
        return made;
    }();
    why_not = problem;
    return server.get();
}

bool PostgresServer::start() {
    return run(as_its_user(programs_ + "/pg_ctl -D " + folder_ + "/data -w -t 60 -l " + folder_ +
                           "/log -o \"-k " + folder_ + " -c listen_addresses=''\" start"));
}

PostgresServer::~PostgresServer() {
    run(as_its_user(programs_ + "/pg_ctl -D " + folder_ + "/data -w -m immediate stop"));
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void PostgresServer::kill_and_restart() {
    run(as_its_user(programs_ + "/pg_ctl -D " + folder_ + "/data -w -m immediate stop"));
    start();
}

std::string PostgresServer::new_database() {
    const std::string name = "t" + std::to_string(++count_);
    const std::string base = "postgresql:///";
    const std::string where = "?host=" + folder_ + "&user=postgres";
    const auto admin = open_database(base + "postgres" + where);
    if (admin) static_cast<void>((*admin)->run({"CREATE DATABASE " + name, {}}));
    return base + name + where;
}

}  // namespace parley::store
