#include "cli/api_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <deque>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>

#include "base/encoding.h"
#include "cli/api_session.h"
#include "cli/api_table.h"
#include "cli/commands.h"
#include "cli/config_flags.h"

namespace parley::cli {
namespace {

namespace json = boost::json;
using Chosen = std::function<int()>;

/// No list that people or scripts ask for is longer; a server that never ends does not fill the
/// memory.
constexpr int kMaxPages = 10'000;

/// What every command that asks a server takes.
struct ServerFlags {
    explicit ServerFlags(CLI::App& command) : config(command, false, kServerGroup) {
        command
            .add_option("--server",
                        api.server,
                        "Server; default: the one of the settings, on this machine [PARLEY_SERVER]")
            ->type_name("URL")
            ->group(kServerGroup);
        command
            .add_option("--credentials",
                        api.credentials,
                        "File with the account's key, as account.json [PARLEY_CREDENTIALS; or "
                        "PARLEY_ACCESS_KEY and "
                        "PARLEY_SECRET_KEY]")
            ->type_name("FILE")
            ->group(kServerGroup);
        command.add_option("--ca-file", api.ca_file, "Certificates to trust, PEM [PARLEY_CA_FILE]")
            ->type_name("FILE")
            ->group(kServerGroup);
    }
    ConfigFlags config;
    ApiOptions api;
};

int give_up(const ApiFailure& failure) {
    complain(failure.text);
    return failure.exit_code;
}

/// One command of the table with what was given to it.
class ApiCall {
public:
    ApiCall(CLI::App& command, const ApiCommand& spec) : spec_(spec), flags_(command) {
        command.add_flag("--json", flags_.api.json, "Print the answer as JSON, for scripts")
            ->group(kServerGroup);
        for (const Parameter& parameter : spec.parameters) add(command, parameter);
        if (spec.is_paged) {
            command.add_option("--limit", limit_, "Most lines")
                ->check(CLI::Range(1, 1'000))
                ->capture_default_str();
            command.add_option("--cursor", cursor_, "Go on behind this mark")->type_name("MARK");
            command.add_flag("--all", all_, "Every page");
        }
        if (spec.has_csv) command.add_flag("--csv", csv_, "Print comma-separated values");
    }

    int run() {
        const auto session = ApiSession::open(flags_.api, flags_.config.take());
        if (!session) return give_up(session.error());
        const bool is_query = std::string_view(spec_.method) == "GET";
        json::object body;
        std::string query;
        for (const FixedField& field : spec_.fixed) body[field.name] = field.value;
        for (const Given& given : given_) {
            const bool is_path = given.parameter->kind == ParameterKind::kPath ||
                                 given.parameter->kind == ParameterKind::kApp;
            if (is_path || given.option->count() == 0) continue;
            if (is_query) {
                add_query(query, given.parameter->name, query_text(given));
            } else {
                body[given.parameter->name] = value_of(given);
            }
        }
        if (csv_) add_query(query, "format", "csv");
        if (spec_.is_paged) add_query(query, "limit", std::to_string(limit_));
        if (csv_) {
            const auto text = session->call_text(spec_.method, path() + query, "");
            if (!text) return give_up(text.error());
            std::fputs(text->c_str(), stdout);
            return kExitOk;
        }
        auto answer = fetch(*session, query, body.empty() ? nullptr : &body);
        if (!answer) return give_up(answer.error());
        print(*answer);
        return kExitOk;
    }

private:
    struct Given {
        const Parameter* parameter;
        std::string text;
        bool is_set = false;
        std::int64_t number = 0;
        CLI::Option* option = nullptr;
    };

    void add(CLI::App& command, const Parameter& parameter) {
        Given& given = given_.emplace_back(Given{&parameter, ""});
        switch (parameter.kind) {
            case ParameterKind::kSwitch:
                given.option = command.add_flag(parameter.option, given.is_set, parameter.help);
                return;
            case ParameterKind::kNumber:
                given.option = command.add_option(parameter.option, given.number, parameter.help);
                given.option->type_name("NUMBER");
                return;
            case ParameterKind::kBool:
                given.option = command.add_option(parameter.option, given.text, parameter.help);
                given.option->check(CLI::IsMember({"true", "false"}))->type_name("true|false");
                return;
            case ParameterKind::kApp:
                given.text = "demo";
                given.option = command.add_option(parameter.option, given.text, parameter.help);
                given.option->envname("PARLEY_APP")->capture_default_str();
                break;
            case ParameterKind::kPath:
            case ParameterKind::kText:
            case ParameterKind::kTexts:
                given.option = command.add_option(parameter.option, given.text, parameter.help);
                break;
        }
        given.option->required(parameter.is_required)
            ->type_name(parameter.kind == ParameterKind::kTexts ? "A,B,..." : "TEXT");
    }

    static std::string query_text(const Given& given) {
        if (given.parameter->kind == ParameterKind::kNumber) return std::to_string(given.number);
        return given.parameter->kind == ParameterKind::kSwitch ? "true" : given.text;
    }

    static json::value value_of(const Given& given) {
        switch (given.parameter->kind) {
            case ParameterKind::kNumber:
                return given.number;
            case ParameterKind::kSwitch:
                return given.is_set;
            case ParameterKind::kBool:
                return given.text == "true";
            case ParameterKind::kTexts: {
                json::array list;
                for (std::string_view rest(given.text); !rest.empty();) {
                    const std::string_view item = rest.substr(0, rest.find(','));
                    if (!item.empty())
                        list.emplace_back(json::string_view(item.data(), item.size()));
                    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
                }
                return list;
            }
            case ParameterKind::kText:
            case ParameterKind::kPath:
            case ParameterKind::kApp:
                break;
        }
        return json::string(given.text);
    }

    static void add_query(std::string& query, const char* name, const std::string& value) {
        query += fmt::format("{}{}={}", query.empty() ? "?" : "&", name, percent_encode(value));
    }

    [[nodiscard]] std::string path() const {
        std::string out(spec_.path);
        for (const Given& given : given_) {
            const std::string place = fmt::format("{{{}}}", given.parameter->name);
            const std::size_t at = out.find(place);
            if (at != std::string::npos) out.replace(at, place.size(), percent_encode(given.text));
        }
        return out;
    }

    ApiResult<json::object> fetch(const ApiSession& session,
                                  const std::string& query,
                                  const json::object* body) const {
        json::object all;
        std::string cursor = cursor_;
        for (int page = 0; page < kMaxPages; ++page) {
            std::string target = query;
            if (!cursor.empty()) add_query(target, "cursor", cursor);
            auto answer = session.call(spec_.method, path() + target, body);
            if (!answer || !spec_.is_paged || !all_) return answer;
            const json::value* rows = answer->if_contains(spec_.list);
            const json::value* next = answer->if_contains("next");
            const std::string last = std::move(cursor);
            cursor = next != nullptr && next->is_string() ? std::string(next->get_string()) : "";
            json::array& gathered =
                all.emplace(spec_.list, json::array()).first->value().get_array();
            if (rows != nullptr && rows->is_array()) {
                gathered.insert(gathered.end(), rows->get_array().begin(), rows->get_array().end());
            }
            if (cursor.empty() || cursor == last) return all;
        }
        return tl::unexpected(ApiFailure{kExitFailure, "the list does not end"});
    }

    /// The lines of a table.
    [[nodiscard]] json::array lines(const json::array& rows) const {
        if (spec_.inner == nullptr) return rows;
        json::array out;
        for (const json::value& row : rows) {
            const json::value* list =
                row.is_object() ? row.get_object().if_contains(spec_.inner) : nullptr;
            if (list == nullptr || !list->is_array()) continue;
            for (const json::value& entry : list->get_array()) {
                json::object line = row.get_object();
                line.erase(spec_.inner);
                if (entry.is_object())
                    line.insert(entry.get_object().begin(), entry.get_object().end());
                out.push_back(std::move(line));
            }
        }
        return out;
    }

    void print(const json::object& answer) const {
        if (flags_.api.json) {
            std::fputs((json::serialize(answer) + "\n").c_str(), stdout);
            return;
        }
        const json::value* rows = spec_.list != nullptr ? answer.if_contains(spec_.list) : nullptr;
        if (rows != nullptr && rows->is_array()) {
            std::fputs(write_table(lines(rows->get_array()), spec_.columns).c_str(), stdout);
        } else {
            std::fputs((answer.empty() ? "done\n" : write_fields(answer)).c_str(), stdout);
        }
        const json::value* next = answer.if_contains("next");
        if (next == nullptr || !next->is_string() || rows == nullptr) return;
        const std::string mark(next->get_string());
        std::fflush(stdout);  // the note belongs below the table
        fmt::print(stderr, "There is more: --all, or --cursor {}\n", printable(mark));
    }

    const ApiCommand& spec_;
    ServerFlags flags_;
    std::deque<Given> given_;  // options keep pointers to the values
    int limit_ = 100;
    std::string cursor_;
    bool all_ = false;
    bool csv_ = false;
};

/// Any call, signed: for what has no command, and for scripts.
struct RawCall {
    explicit RawCall(CLI::App& command) : flags(command) {
        command.add_option("METHOD", method, "GET, POST, PATCH, PUT or DELETE")
            ->required()
            ->check(CLI::IsMember({"GET", "POST", "PATCH", "PUT", "DELETE"}, CLI::ignore_case));
        command.add_option("PATH", target, "Path with its query, as /v3/apps")->required();
        command.add_option("BODY", body, "JSON; - reads it from standard input");
    }
    int run() {
        const auto session = ApiSession::open(flags.api, flags.config.take());
        if (!session) return give_up(session.error());
        if (!target.starts_with('/')) {
            complain("PATH begins with a slash");
            return kExitUsage;
        }
        std::transform(method.begin(), method.end(), method.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
        if (body == "-") body.assign(std::istreambuf_iterator<char>(std::cin), {});
        const auto answer = session->call_text(method, target, body);
        if (!answer) return give_up(answer.error());
        std::fputs((*answer + "\n").c_str(), stdout);
        return kExitOk;
    }
    ServerFlags flags;
    std::string method;
    std::string target;
    std::string body;
};

}  // namespace

void add_api_commands(CLI::App& app, Chosen& chosen) {
    std::map<std::string, CLI::App*> parents;
    for (const ApiGroup& group : api_groups()) {
        CLI::App* parent = app.add_subcommand(group.name, group.help);
        parent->require_subcommand(1);
        parents[group.name] = parent;
    }
    parents["account key"] =
        parents["account"]->add_subcommand("key", "Key pairs, to change them without a gap");
    parents["account key"]->require_subcommand(1);
    for (const ApiCommand& spec : api_commands()) {
        const std::string words(spec.words);
        const std::size_t last = words.rfind(' ');
        CLI::App* command =
            parents.at(words.substr(0, last))->add_subcommand(words.substr(last + 1), spec.help);
        auto call = std::make_shared<ApiCall>(*command, spec);
        command->callback([&chosen, call] { chosen = [call] { return call->run(); }; });
    }
    CLI::App* raw = app.add_subcommand("api", "Any management call, signed");
    auto call = std::make_shared<RawCall>(*raw);
    raw->callback([&chosen, call] { chosen = [call] { return call->run(); }; });
}

}  // namespace parley::cli
