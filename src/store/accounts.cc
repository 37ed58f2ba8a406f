#include "store/accounts.h"

#include <fmt/format.h>

#include <algorithm>

namespace parley::store {

SqlResult<AccountContent> load_accounts(Connection& connection) {
    AccountContent out;
    auto accounts =
        connection.run({"SELECT id, name, disabled, created_ns FROM accounts ORDER BY id", {}});
    if (!accounts) return tl::unexpected(accounts.error());
    for (const Row& row : *accounts) {
        out.accounts.push_back({number_at(row, 0),
                                text_at(row, 1),
                                number_at(row, 2) != 0,
                                WallTime(Duration(number_at(row, 3)))});
    }
    auto keys = connection.run(
        {"SELECT access_key, secret_key, account, disabled, created_ns FROM access_keys "
         "ORDER BY access_key",
         {}});
    if (!keys) return tl::unexpected(keys.error());
    for (const Row& row : *keys) {
        out.keys.push_back({text_at(row, 0),
                            text_at(row, 1),
                            number_at(row, 2),
                            number_at(row, 3) != 0,
                            WallTime(Duration(number_at(row, 4)))});
    }
    return out;
}

SqlResult<void> check_version(Connection& connection) {
    auto rows = connection.run({"SELECT version FROM schema_version", {}});
    if (!rows || rows->size() != 1) {
        return tl::unexpected(
            std::string("this is no store of parley, or one that was never started"));
    }
    const std::int64_t version = number_at(rows->front(), 0);
    if (version == schema_version()) return {};
    return tl::unexpected(fmt::format("the store has version {}, this program knows {}: {}",
                                      version,
                                      schema_version(),
                                      version < schema_version()
                                          ? "start `parley serve` of this version once"
                                          : "it belongs to a newer parley"));
}

SqlResult<AccountRecord> add_account(Connection& connection,
                                     const std::string& name,
                                     KeyRecord& key) {
    // Numbers are not used again, not even that of an account that is only left in apps or keys.
    auto last = connection.run(
        {"SELECT MAX(n) FROM (SELECT MAX(id) AS n FROM accounts UNION ALL SELECT MAX(account) FROM "
         "access_keys UNION ALL SELECT MAX(account) FROM apps) AS used",
         {}});
    if (!last) return tl::unexpected(last.error());
    AccountRecord account;
    account.id = std::max(kFirstAccount, last->empty() ? 0 : number_at(last->front(), 0)) + 1;
    account.name = name;
    account.created_at = key.created_at;
    key.account = account.id;
    // Not `put`: an account that came in between is not written over.
    const std::vector<Statement> change{
        {"INSERT INTO accounts (id, name, disabled, created_ns) VALUES ($1, $2, 0, $3)",
         {account.id, account.name, account.created_at.time_since_epoch().count()}},
        put_key(key)};
    if (auto done = connection.run_together(change); !done) return tl::unexpected(done.error());
    return account;
}

}  // namespace parley::store
