#include "server/key_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "sdk_requests.h"

namespace parley::server {
namespace {

/// A running server, and a command that writes to its store meanwhile.
class KeyWatchTest : public SdkRequests {
protected:
    int status_for(const store::KeyRecord& key) const {
        const auth::AccountKey pair{key.access_key, key.secret_key};
        auth::SignedRequestView view;
        view.method = "GET";
        view.path = "/x1/account";
        view.host = kHost;
        Wire wire(server_.port());
        wire.send(fmt::format("GET /x1/account HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
                              kHost,
                              auth::sign_request(pair, view)));
        return static_cast<int>(wire.read_response().status);
    }
    /// Within some rounds of the watch; what it is in the end.
    int wait_for(const store::KeyRecord& key, int wanted) const {
        const Instant last = io::read_monotonic_clock() + 30s;
        int status = status_for(key);
        while (status != wanted && io::read_monotonic_clock() < last) {
            std::this_thread::sleep_for(20ms);
            status = status_for(key);
        }
        return status;
    }
    std::unique_ptr<store::Connection> connection_ =
        store::open_database(server_.data_dir() + "/parley.db").value();
};

TEST_F(KeyWatchTest, ARunningServerTakesOverWhatACommandWrote) {
    // A key that the server itself made stays.
    Wire wire(server_.port());
    const HttpResponse made = send(wire, kJava, {"", "POST", "/x1/keys", "", 200, ""});
    ASSERT_EQ(made.status, 200) << made.body;
    const json::object pair = json::parse(made.body).as_object();
    const store::KeyRecord own{std::string(pair.at("accessKey").as_string()),
                               std::string(pair.at("secretKey").as_string())};
    EXPECT_EQ(status_for(own), 200);

    store::KeyRecord key{"AK-further", "SK-further", 0, false, io::read_wall_clock()};
    EXPECT_EQ(status_for(key), 401);
    auto account = store::add_account(*connection_, "further", key);
    ASSERT_TRUE(account.has_value()) << account.error();
    EXPECT_EQ(wait_for(key, 200), 200);

    account->disabled = true;
    ASSERT_TRUE(connection_->run(store::put_account(*account)).has_value());
    EXPECT_EQ(wait_for(key, 401), 401);
    account->disabled = false;
    ASSERT_TRUE(connection_->run(store::put_account(*account)).has_value());
    EXPECT_EQ(wait_for(key, 200), 200);
    key.disabled = true;
    ASSERT_TRUE(connection_->run(store::put_key(key)).has_value());
    EXPECT_EQ(wait_for(key, 401), 401);
    EXPECT_EQ(status_for(own), 200) << "after several rounds";
    EXPECT_EQ(status_for({kSdkKey.access_key, kSdkKey.secret_key}), 200);
}

}  // namespace
}  // namespace parley::server
