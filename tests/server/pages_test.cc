#include "server/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "temporary_folder.h"

namespace parley::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string header(const io::HttpReply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers) {
        if (key == name) return std::string(value);
    }
    return {};
}

struct PagesTest : ::testing::Test {
    PagesTest() {
        folder.write("index.html", "<h1>app</h1>");
        folder.write("console.html", "<h1>console</h1>");
        folder.write("assets/app-B3Dx_9qZ.js", "1");
        folder.write("assets/plain.css", "a{}");
        folder.write(".git/config", "secret");
        folder.write(".env", "secret");
        folder.write("名.txt", "utf8");
        outside.write("secret.txt", "secret");
        std::filesystem::create_symlink(outside.file("secret.txt"), folder.file("link.txt"));
        pages = Pages::load(folder.path()).value();
    }
    TemporaryFolder folder;
    TemporaryFolder outside;
    Pages pages;
};

TEST_F(PagesTest, ServesWhatItListed) {
    const auto script = pages.find("/assets/app-B3Dx_9qZ.js?v=1", "");
    ASSERT_TRUE(script.has_value());
    EXPECT_EQ(*script->shared_body, "1");
    EXPECT_THAT(header(*script, "Content-Type"), HasSubstr("text/javascript"));
    EXPECT_THAT(header(*script, "Cache-Control"), HasSubstr("immutable"));
    EXPECT_EQ(header(*pages.find("/assets/plain.css", ""), "Cache-Control"), "no-cache");
    EXPECT_TRUE(pages.find("/%E5%90%8D.txt", "").has_value());
}

TEST_F(PagesTest, ApplicationPathsGetTheApplication) {
    for (const char* path : {"/", "/call?room=x", "/r/my-room?lang=zh", "/r/my-room/", "/index.html"}) {
        const auto reply = pages.find(path, "");
        ASSERT_TRUE(reply.has_value()) << path;
        EXPECT_EQ(*reply->shared_body, "<h1>app</h1>") << path;
        EXPECT_THAT(header(*reply, "Content-Security-Policy"), HasSubstr("script-src 'self'"))
            << path;
        EXPECT_EQ(header(*reply, "X-Content-Type-Options"), "nosniff");
    }
}

TEST_F(PagesTest, ConsolePathsGetTheConsoleWithItsStricterPolicy) {
    for (const char* path : {"/console", "/console/", "/console/apps/demo/rooms?x=1", "/console.html"}) {
        const auto reply = pages.find(path, "");
        ASSERT_TRUE(reply.has_value()) << path;
        EXPECT_EQ(*reply->shared_body, "<h1>console</h1>") << path;
        const std::string policy = header(*reply, "Content-Security-Policy");
        EXPECT_THAT(policy, HasSubstr("default-src 'none'")) << path;
        EXPECT_THAT(policy, HasSubstr("connect-src 'self';")) << path;
        EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'")) << path;
        EXPECT_THAT(policy, Not(HasSubstr("unsafe"))) << path;
        EXPECT_THAT(header(*reply, "Permissions-Policy"), HasSubstr("camera=()"));
    }
}

TEST_F(PagesTest, NothingElseHasAName) {
    for (const char* path : {"/.env",
                             "/.git/config",
                             "/link.txt",
                             "/../secret.txt",
                             "/%2e%2e/secret.txt",
                             "/assets",
                             "/assets/",
                             "//index.html",
                             "/callx",
                             "/consolex",
                             "/call/x",
                             "/room/x",
                             "/r",
                             "/v3/apps",
                             "",
                             "/%zz"}) {
        EXPECT_FALSE(pages.find(path, "").has_value()) << path;
    }
}

TEST_F(PagesTest, UnchangedPagesAreNotSentAgain) {
    const std::string etag = header(*pages.find("/", ""), "ETag");
    ASSERT_NE(etag, "");
    for (const std::string& given : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
        const auto reply = pages.find("/", given);
        EXPECT_EQ(reply->status, 304U) << given;
        EXPECT_EQ(reply->shared_body, nullptr);
    }
    EXPECT_EQ(pages.find("/", "\"other\"")->status, 200U);
}

TEST(Pages, NoFolder) {
    const TemporaryFolder folder;
    EXPECT_EQ(Pages::load(folder.file("missing")).error().code, Errc::kNotFound);
    EXPECT_TRUE(Pages().empty());
    EXPECT_FALSE(Pages().find("/", "").has_value());
}

TEST(Pages, HashedNames) {
    for (const char* name : {"/a/app-B3Dx_9qZ.js", "/index-DzYh-1aQ.css", "/x.0a1b2c3d.js"}) {
        EXPECT_TRUE(has_hashed_name(name)) << name;
    }
    for (const char* name :
         {"/app.js", "/self-portrait.png", "/B3Dx_9qZ.js", "/app-B3Dx.js", "/", ""}) {
        EXPECT_FALSE(has_hashed_name(name)) << name;
    }
}

}  // namespace
}  // namespace parley::server
