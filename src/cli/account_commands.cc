#include "cli/account_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/store_commands.h"
#include "cli/table.h"
#include "io/clock.h"
#include "io/files.h"
#include "io/kernel_random.h"
#include "rest/app_record.h"
#include "server/app_store.h"
#include "store/accounts.h"

namespace parley::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kAccountKeyLength = 40;
constexpr std::size_t kMostKeysOfAccount = 16;
constexpr std::size_t kMaxAccountName = 100;

struct AccountRequest {
    std::int64_t account = 0;
    std::string name;
    std::string file;  ///< for the new key; empty: standard output
    bool as_json = false;
};

/// The store of the settings, of just this program's version.
store::SqlResult<std::unique_ptr<store::Connection>> open_accounts(
    const server::ConfigSources& sources) {
    const server::LoadedConfig loaded = server::load_config(sources);
    if (!loaded.error.empty()) return tl::unexpected(loaded.error);
    auto connection = open_existing_store(server::store_url(loaded.config));
    if (!connection) return connection;
    if (auto fits = store::check_version(**connection); !fits) return tl::unexpected(fits.error());
    return connection;
}

store::KeyRecord fresh_key(std::int64_t account) {
    io::KernelSecretSource secrets;
    store::KeyRecord key;
    key.access_key = secrets.alphanumeric(kAccountKeyLength);
    key.secret_key = secrets.alphanumeric(kAccountKeyLength);
    key.account = account;
    key.created_at = io::read_wall_clock();
    return key;
}

std::string key_text(const store::KeyRecord& key) {
    return json::serialize(
               json::object{{"accessKey", key.access_key}, {"secretKey", key.secret_key}}) +
           "\n";
}

/// The secret is in the file before the key is in the store: nobody has a key that is lost.
int keep_key(const AccountRequest& request, const store::KeyRecord& key) {
    if (request.file.empty()) return kExitOk;
    if (io::stamp_file(request.file)) return complain(request.file + ": exists already");
    const auto written = io::write_file_durably(request.file, key_text(key), io::kOwnerOnly);
    if (!written) return complain(fmt::format("{}: {}", request.file, written.error().what));
    return kExitOk;
}

void show_key(const AccountRequest& request, const store::KeyRecord& key) {
    if (request.as_json) {
        json::object out{{"account", key.account}, {"accessKey", key.access_key}};
        if (request.file.empty()) out["secretKey"] = key.secret_key;
        fmt::print("{}\n", json::serialize(out));
        return;
    }
    fmt::print(
        "Account    {}\nAccessKey  {}\nSecretKey  {}\n",
        key.account,
        key.access_key,
        request.file.empty() ? key.secret_key + "   (shown only this once)" : "in " + request.file);
}

int add_account(const server::ConfigSources& sources, const AccountRequest& request) {
    if (request.name.empty() || request.name.size() > kMaxAccountName) {
        return complain(fmt::format("NAME: 1 to {} bytes", kMaxAccountName));
    }
    auto connection = open_accounts(sources);
    if (!connection) return complain(connection.error());
    store::KeyRecord key = fresh_key(0);
    if (const int code = keep_key(request, key); code != kExitOk) return code;
    const auto account = store::add_account(**connection, request.name, key);
    if (!account) return complain(account.error());
    show_key(request, key);
    return kExitOk;
}

/// The first account is there without a record; `accounts` has it, too.
store::SqlResult<store::AccountContent> read_accounts(store::Connection& connection) {
    auto content = store::load_accounts(connection);
    if (content) {
        content->accounts.insert(content->accounts.begin(),
                                 {store::kFirstAccount, "first account", false, {}});
    }
    return content;
}

int list_accounts(const server::ConfigSources& sources, const AccountRequest& request) {
    auto connection = open_accounts(sources);
    if (!connection) return complain(connection.error());
    const auto content = read_accounts(**connection);
    if (!content) return complain(content.error());
    json::array rows;
    for (const store::AccountRecord& account : content->accounts) {
        json::array keys;
        for (const store::KeyRecord& key : content->keys) {
            if (key.account != account.id) continue;
            keys.push_back(json::object{{"accessKey", key.access_key}, {"disabled", key.disabled}});
        }
        json::object row{{"account", account.id},
                         {"name", account.name},
                         {"disabled", account.disabled},
                         {"keysInStore", keys.size()}};
        if (request.as_json) row["keys"] = std::move(keys);
        if (account.created_at != WallTime{}) row["createdAt"] = rest::rfc3339(account.created_at);
        rows.push_back(std::move(row));
    }
    if (request.as_json) {
        fmt::print("{}\n", json::serialize(json::object{{"accounts", std::move(rows)}}));
    } else {
        fmt::print("{}",
                   write_table(rows,
                               {{"ACCOUNT", "account"},
                                {"NAME", "name"},
                                {"DISABLED", "disabled"},
                                {"KEYS", "keysInStore"},
                                {"CREATED", "createdAt"}}));
    }
    return kExitOk;
}

/// nullopt, and it was said why: there is no such account.
std::optional<store::AccountRecord> find_account(const store::AccountContent& content,
                                                 std::int64_t id) {
    for (const store::AccountRecord& account : content.accounts) {
        if (account.id == id) return account;
    }
    complain(fmt::format("there is no account {}; `parley account list` shows them", id));
    return std::nullopt;
}

int set_disabled(const server::ConfigSources& sources,
                 const AccountRequest& request,
                 bool disabled) {
    if (request.account == store::kFirstAccount) {
        return complain("the first account stays: its key is the configuration's");
    }
    auto connection = open_accounts(sources);
    if (!connection) return complain(connection.error());
    const auto content = read_accounts(**connection);
    if (!content) return complain(content.error());
    auto account = find_account(*content, request.account);
    if (!account) return kExitFailure;
    account->disabled = disabled;
    const auto done = (*connection)->run(store::put_account(*account));
    if (!done) return complain(done.error());
    fmt::print("account {} {}\n", request.account, disabled ? "disabled" : "enabled");
    return kExitOk;
}

int add_key(const server::ConfigSources& sources, const AccountRequest& request) {
    auto connection = open_accounts(sources);
    if (!connection) return complain(connection.error());
    const auto content = read_accounts(**connection);
    if (!content) return complain(content.error());
    if (!find_account(*content, request.account)) return kExitFailure;
    const auto keys =
        std::count_if(content->keys.begin(), content->keys.end(), [&](const auto& key) {
            return key.account == request.account;
        });
    if (keys >= static_cast<std::ptrdiff_t>(kMostKeysOfAccount)) {
        return complain(fmt::format("account {} has {} keys already", request.account, keys));
    }
    const store::KeyRecord key = fresh_key(request.account);
    if (const int code = keep_key(request, key); code != kExitOk) return code;
    const auto done = (*connection)->run(store::put_key(key));
    if (!done) return complain(done.error());
    show_key(request, key);
    return kExitOk;
}

enum Takes : unsigned { kNothing = 0, kName = 1, kNumber = 2, kFile = 4, kJson = 8 };

}  // namespace

void add_account_commands(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* parent = app.get_subcommand("account");
    const auto add = [&](const char* name, const char* help, unsigned takes, auto run) {
        CLI::App* command = parent->add_subcommand(name, help);
        auto flags = std::make_shared<ConfigFlags>(*command, false);
        auto request = std::make_shared<AccountRequest>();
        if ((takes & kName) != 0) {
            command->add_option("NAME", request->name, "What people call it")->required();
        }
        if ((takes & kNumber) != 0) {
            command->add_option("ACCOUNT", request->account, "Its number")
                ->required()
                ->check(CLI::Range(std::int64_t{1}, INT64_MAX));
        }
        if ((takes & kFile) != 0) {
            command->add_option("--file",
                                request->file,
                                "New file for the key, for PARLEY_CREDENTIALS; without it the "
                                "secret is printed, once");
        }
        if ((takes & kJson) != 0) {
            command->add_flag("--json", request->as_json, "JSON in place of a table");
        }
        command->callback([&chosen, flags, request, run] {
            chosen = [flags, request, run] { return run(flags->take(), *request); };
        });
    };
    add("add",
        "A further account, with its first key, in the store",
        kName | kFile | kJson,
        add_account);
    add("list", "Accounts in the store", kJson, list_accounts);
    add("disable",
        "From now on no key of the account opens anything",
        kNumber,
        [](const server::ConfigSources& sources, const AccountRequest& request) {
            return set_disabled(sources, request, true);
        });
    add("enable",
        "Undo `account disable`",
        kNumber,
        [](const server::ConfigSources& sources, const AccountRequest& request) {
            return set_disabled(sources, request, false);
        });
    add("new-key",
        "A further key pair of any account, in the store",
        kNumber | kFile | kJson,
        add_key);
}

}  // namespace parley::cli
