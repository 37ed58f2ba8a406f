// Bodies at their bound and paths that are escaped twice, on the wire.
#include "sdk_requests.h"

namespace parley::server {
namespace {

constexpr std::size_t kMiB = 1024 * 1024;

class RequestBounds : public SdkRequests {
protected:
    std::string padded(std::size_t size) const {
        std::string body = R"({"title":"long"})";
        body.resize(size, ' ');
        return body;
    }
};

TEST_F(RequestBounds, ABodyOfOneMiBIsTakenAndOneByteMoreIsNot) {
    for (const char* target : {"/v3/apps", "/x1/apps"}) {
        Wire wire(server_.port());
        const std::string most = padded(kMiB);
        const HttpResponse taken = send(wire, kJava, {"", "POST", target, most.c_str(), 200, ""});
        EXPECT_EQ(taken.status, 200) << target << ' ' << taken.body;
        EXPECT_EQ(complaint(kJava, taken, false), "") << target;

        const std::string more = padded(kMiB + 1);
        const HttpResponse refused = send(wire, kJava, {"", "POST", target, more.c_str(), 413, ""});
        EXPECT_EQ(refused.status, 413) << target << ' ' << refused.body;
        EXPECT_EQ(complaint(kJava, refused, true), "") << target;
    }
}

TEST_F(RequestBounds, APathThatIsEscapedTwiceIsRefused) {
    Wire wire(server_.port());
    for (const char* target : {"/v3/apps/%2564emo",
                               "/v3/apps/demo/rooms/a%252Fb/users",
                               "/v3/apps/demo/rooms/%252e%252e/users",
                               "/x1/apps/demo/rooms/%2561",
                               "/v4/apps/demo/rooms/r%2500/jobs"}) {
        for (const Dialect& sdk : {kJava, kPhp}) {
            const HttpResponse answer = send(wire, sdk, {"", "GET", target, "", 400, ""});
            EXPECT_EQ(answer.status, 400) << target << ' ' << answer.body;
            EXPECT_EQ(complaint(sdk, answer, true), "") << target;
        }
    }
    // Once is how some libraries write names.
    EXPECT_EQ(send(wire, kJava, {"", "GET", "/v3/apps/%64emo", "", 200, ""}).status, 200);
}

}  // namespace
}  // namespace parley::server
