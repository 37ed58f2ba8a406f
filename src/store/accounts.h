#pragma once

#include <string>
#include <vector>

#include "store/tables.h"

/// Accounts and their keys as an operator's commands change them, beside a running server or
/// without one.
namespace parley::store {

/// What the server has to know again when somebody else has changed it.
struct AccountContent {
    std::vector<AccountRecord> accounts;
    std::vector<KeyRecord> keys;
};
SqlResult<AccountContent> load_accounts(Connection& connection);

/// Fails unless the store is just of this program's version: commands make no tables under a
/// running server.
SqlResult<void> check_version(Connection& connection);

/// A new account with its first key, whose `account` is filled in. Two at once: one of them fails.
SqlResult<AccountRecord> add_account(Connection& connection,
                                     const std::string& name,
                                     KeyRecord& key);

}  // namespace parley::store
