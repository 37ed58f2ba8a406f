// The commands against a whole server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "../server/running_server.h"
#include "cli/api_session.h"
#include "cli/api_table.h"
#include "cli/commands.h"
#include "run_command.h"

namespace parley::cli {
namespace {

namespace json = boost::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A variable of this process, as long as it lives.
class Environment {
public:
    Environment(const char* name, const std::string& value) : name_(name) {
        ::setenv(name, value.c_str(), 1);
    }
    ~Environment() { ::unsetenv(name_); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

private:
    const char* name_;
};

struct ApiCommands : ::testing::Test {
    /// Fails the test when the exit code is another; standard output.
    static std::string expect(int exit_code, const std::vector<std::string>& arguments) {
        const CommandOutput output = run_command(arguments);
        EXPECT_EQ(output.exit_code, exit_code)
            << arguments[0] << ' ' << arguments[1] << ": " << output.err;
        if (exit_code == kExitOk) return output.out;
        EXPECT_THAT(output.out, IsEmpty());
        EXPECT_EQ(std::count(output.err.begin(), output.err.end(), '\n'), 1) << output.err;
        return output.err;
    }
    static json::object parsed(const std::string& text) {
        boost::system::error_code error;
        json::value value = json::parse(text, error);
        EXPECT_TRUE(!error && value.is_object()) << text;
        return value.is_object() ? value.get_object() : json::object();
    }

    server::RunningServer server;
    Environment url{"PARLEY_SERVER", server.url()};
    Environment access{"PARLEY_ACCESS_KEY", server.account().access_key};
    Environment secret{"PARLEY_SECRET_KEY", server.account().secret_key};
};

TEST_F(ApiCommands, AppsAreMadeChangedAndDeleted) {
    const json::object made = parsed(expect(kExitOk,
                                            {"app",
                                             "create",
                                             "--title",
                                             "会议",
                                             "--max-users",
                                             "5",
                                             "--no-auto-kick-user",
                                             "true",
                                             "--json"}));
    const std::string id(made.at("appId").as_string());
    EXPECT_EQ(made.at("maxUsers"), 5);
    EXPECT_EQ(made.at("noAutoKickUser"), true);
    EXPECT_THAT(expect(kExitOk, {"app", "list"}),
                AllOf(HasSubstr("APP "),
                      HasSubstr("TITLE"),
                      HasSubstr("会议"),
                      HasSubstr(id),
                      HasSubstr("demo")));
    EXPECT_THAT(
        expect(kExitOk, {"app", "update", id, "--title", "b", "--no-auto-kick-user", "false"}),
        HasSubstr("title             b\n"));
    EXPECT_EQ(parsed(expect(kExitOk, {"app", "show", id, "--json"})).at("maxUsers"), 5)
        << "what was not named stays";
    EXPECT_EQ(expect(kExitOk, {"app", "delete", id}), "done\n");
    EXPECT_THAT(expect(kExitNotFound, {"app", "show", id}), HasSubstr("parley app list"));
}

TEST_F(ApiCommands, RoomsComeInPages) {
    for (const char* name : {"a1", "a2", "a3", "b1"}) {
        expect(kExitOk, {"room", "create", name, "--no-enter-ttl", "60", "--max-users", "7"});
    }
    const CommandOutput page = run_command({"room", "list", "--empty", "--limit", "2"});
    EXPECT_THAT(page.out, AllOf(HasSubstr("a1"), HasSubstr("a2"), Not(HasSubstr("a3"))));
    EXPECT_THAT(page.err, HasSubstr("--cursor a2"));
    EXPECT_THAT(expect(kExitOk, {"room", "list", "--empty", "--limit", "2", "--cursor", "a2"}),
                AllOf(HasSubstr("a3"), HasSubstr("b1")));
    const json::object all =
        parsed(expect(kExitOk, {"room", "list", "--empty", "--limit", "2", "--all", "--json"}));
    EXPECT_EQ(all.at("rooms").as_array().size(), 4U);
    EXPECT_THAT(expect(kExitOk, {"room", "list", "--empty", "--prefix", "b"}),
                Not(HasSubstr("a1")));
    EXPECT_THAT(expect(kExitOk, {"room", "show", "a1"}), HasSubstr("maxUsers     7\n"));
    EXPECT_THAT(expect(kExitOk, {"room", "update", "a1", "--open", "false"}),
                HasSubstr("open       no\n"));
    EXPECT_EQ(expect(kExitOk, {"room", "close", "a1"}), "done\n");
    EXPECT_THAT(expect(kExitNotFound, {"room", "close", "a1"}), HasSubstr("parley room list"));
}

TEST_F(ApiCommands, UsersAreBanned) {
    expect(kExitOk, {"user", "ban", "r", "u1", "--duration", "60", "--reason", "\x1b[31mred"});
    const std::string bans = expect(kExitOk, {"room", "bans", "r"});
    EXPECT_THAT(bans, AllOf(HasSubstr("u1"), HasSubstr("?[31mred"), Not(HasSubstr("\x1b"))));
    expect(kExitOk, {"user", "unban", "r", "u1"});
    expect(kExitNotFound, {"user", "unban", "r", "u1"});
    expect(kExitNotFound, {"user", "kick", "r", "u1"});
}

TEST_F(ApiCommands, KeysAreExchangedWithoutAGap) {
    const json::object key = parsed(expect(kExitOk, {"account", "key", "add", "--json"}));
    const std::string name(key.at("accessKey").as_string());
    const std::string old = server.account().access_key;
    EXPECT_THAT(
        expect(kExitOk, {"account", "show"}),
        AllOf(HasSubstr(name), HasSubstr(old), Not(HasSubstr(server.account().secret_key))));
    {
        const Environment new_access("PARLEY_ACCESS_KEY", name);
        const Environment new_secret("PARLEY_SECRET_KEY",
                                     std::string(key.at("secretKey").as_string()));
        expect(kExitOk, {"app", "list"});
        expect(kExitOk, {"account", "key", "disable", old});
        expect(kExitOk, {"app", "list"});
        ::setenv("PARLEY_ACCESS_KEY", old.c_str(), 1);
        ::setenv("PARLEY_SECRET_KEY", server.account().secret_key.c_str(), 1);
        EXPECT_THAT(expect(kExitRefused, {"app", "list"}), HasSubstr("disabled"));
        ::setenv("PARLEY_ACCESS_KEY", name.c_str(), 1);
        ::setenv("PARLEY_SECRET_KEY", std::string(key.at("secretKey").as_string()).c_str(), 1);
        expect(kExitOk, {"account", "key", "enable", old});
    }
}

TEST_F(ApiCommands, JobsAndTheNode) {
    const json::object made = parsed(expect(
        kExitOk,
        {"api",
         "POST",
         "/v4/apps/demo/rooms/r/jobs",
         R"({"type":"simple","inputs":[{"userId":"u"}],"outputs":[{"type":"rtmp","url":"rtmp://e.example/s"}]})"}));
    const std::string id(made.at("id").as_string());
    EXPECT_THAT(expect(kExitOk, {"job", "list", "--room", "r"}), HasSubstr(id));
    expect(kExitOk, {"job", "stop", "r", id});
    expect(kExitNotFound, {"job", "stop", "r", "none"});
    EXPECT_THAT(expect(kExitOk, {"recording", "list"}), HasSubstr("SECONDS"));
    EXPECT_THAT(expect(kExitOk, {"node", "show"}), HasSubstr("uptimeS"));
}

TEST_F(ApiCommands, AnyCallByHand) {
    EXPECT_EQ(parsed(expect(kExitOk, {"api", "get", "/v3/apps/demo"})).at("appId"), "demo");
    EXPECT_EQ(parsed(expect(kExitOk, {"api", "POST", "/v3/apps/demo", R"({"title":"by hand"})"}))
                  .at("title"),
              "by hand");
    EXPECT_THAT(expect(kExitNotFound, {"api", "GET", "/v3/none"}), HasSubstr("404"));
    expect(kExitUsage, {"api", "GET", "v3/apps"});
}

TEST_F(ApiCommands, MistakesAreExplained) {
    EXPECT_THAT(expect(kExitUsage, {"app", "update", "demo", "--video-codec", "H265"}),
                HasSubstr("invalid args"));
    EXPECT_THAT(expect(kExitUsage, {"room", "update", "r", "--open", "perhaps"}),
                HasSubstr("perhaps"));
    EXPECT_THAT(expect(kExitUsage, {"room", "list", "--limit", "0"}), HasSubstr("limit"));
    EXPECT_THAT(expect(kExitUsage, {"room", "show", "no such"}), HasSubstr("room"));
    EXPECT_THAT(expect(kExitNotFound, {"room", "list", "--app", "nosuch"}),
                HasSubstr("parley app list"));
    EXPECT_THAT(expect(kExitUsage, {"room", "list", "--server", "ftp://x"}),
                HasSubstr("http://HOST"));
    EXPECT_THAT(expect(kExitUsage, {"room", "list", "--server", "http://user:planted@x"}),
                Not(HasSubstr("planted")));
    EXPECT_THAT(expect(kExitUsage, {"room", "list", "--server", server.url() + "/path"}),
                HasSubstr("http://HOST"));
    {
        const server::TemporaryFolder folder;
        EXPECT_THAT(expect(kExitUsage, {"room", "list", "--credentials", folder.file("none")}),
                    HasSubstr("none"));
        folder.write("bad", R"({"accessKey":"planted-secret"})");
        EXPECT_THAT(expect(kExitUsage, {"room", "list", "--credentials", folder.file("bad")}),
                    AllOf(HasSubstr("secretKey"), Not(HasSubstr("planted"))));
        folder.write("good", R"({"accessKey":"AK","secretKey":"planted-secret"})");
        EXPECT_THAT(expect(kExitRefused, {"room", "list", "--credentials", folder.file("good")}),
                    AllOf(HasSubstr("good"), Not(HasSubstr("planted"))));
    }
    // A port that nobody listens on, because this test holds it.
    const io::Fd taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    io::KernelAddress any = io::to_kernel({IpAddress::v4(0x7f000001), 0});
    ASSERT_EQ(::bind(taken.get(), any.get(), any.length), 0);
    ::sockaddr_in bound{};
    ::socklen_t length = sizeof bound;
    ::getsockname(taken.get(), reinterpret_cast<::sockaddr*>(&bound), &length);
    EXPECT_THAT(expect(kExitUnreachable,
                       {"room",
                        "list",
                        "--server",
                        "http://127.0.0.1:" + std::to_string(ntohs(bound.sin_port))}),
                HasSubstr("PARLEY_SERVER"));
}

TEST(ApiCommandLine, SecretsAreNeverTakenFromTheArguments) {
    for (const char* word : {"--secret-key", "--secret-key=planted", "--access-key"}) {
        const CommandOutput output = run_command({"room", "list", word, "planted"});
        EXPECT_EQ(output.exit_code, kExitUsage);
        EXPECT_THAT(output.err, AllOf(HasSubstr("PARLEY_SECRET_KEY"), Not(HasSubstr("planted"))));
    }
}

// The table and the contract name the same calls, with the same parameters.
TEST(ApiTable, IsTheContract) {
    std::ostringstream text;
    text << std::ifstream(PARLEY_SOURCE_DIR "/src/rest/openapi.json").rdbuf();
    const json::value contract = json::parse(text.str());
    const json::object& components = contract.at("components").as_object();
    const auto resolve = [&](const json::value& value) -> const json::object& {
        const json::value* reference = value.as_object().if_contains("$ref");
        if (reference == nullptr) return value.as_object();
        const std::string_view path(reference->as_string().data(), reference->as_string().size());
        const std::string_view kind =
            path.substr(13, path.rfind('/') - 13);  // behind "#/components/"
        return components.at({kind.data(), kind.size()})
            .at(std::string(path.substr(path.rfind('/') + 1)))
            .as_object();
    };
    std::set<std::string> commanded;
    for (const ApiCommand& command : api_commands()) {
        if (!std::string_view(command.path).starts_with("/x1/")) continue;  // published elsewhere
        std::string method(command.method);
        std::transform(method.begin(), method.end(), method.begin(), [](char c) {
            return static_cast<char>(c | 0x20);
        });
        const json::value* path = contract.at("paths").as_object().if_contains(command.path);
        ASSERT_NE(path, nullptr) << command.path;
        const json::value* operation = path->as_object().if_contains(method);
        ASSERT_NE(operation, nullptr) << command.words;
        commanded.insert(method + " " + command.path);
        std::set<std::string> known;
        if (const json::value* list = operation->as_object().if_contains("parameters")) {
            for (const json::value& each : list->as_array())
                known.emplace(resolve(each).at("name").as_string());
        }
        if (const json::value* body = operation->as_object().if_contains("requestBody")) {
            const json::object& schema =
                resolve(body->at("content").at("application/json").at("schema"));
            for (const auto& field : schema.at("properties").as_object())
                known.emplace(field.key());
        }
        for (const Parameter& parameter : command.parameters) {
            EXPECT_TRUE(known.contains(parameter.name)) << command.words << ": " << parameter.name;
        }
        for (const FixedField& field : command.fixed) {
            EXPECT_TRUE(known.contains(field.name)) << command.words << ": " << field.name;
        }
        EXPECT_EQ(command.is_paged, known.contains("cursor") && method == "get") << command.words;
    }
    // Tokens are made without a server.
    const std::set<std::string> elsewhere{"post /x1/apps/{appId}/rooms/{room}/token",
                                          "get /x1/openapi.json"};
    for (const auto& path : contract.at("paths").as_object()) {
        for (const auto& operation : path.value().as_object()) {
            const std::string call = std::string(operation.key()) + " " + std::string(path.key());
            EXPECT_TRUE(commanded.contains(call) || elsewhere.contains(call))
                << call << " has no command";
        }
    }
}

}  // namespace
}  // namespace parley::cli
