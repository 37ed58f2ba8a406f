#include "auth/qiniu_signature.h"

#include <gtest/gtest.h>

#include "support.h"

namespace parley::auth {
namespace {

struct Vector {
    const char* name;
    SignedRequestView request;
    std::string_view authorization;
};
/// REST section 2.4. Signed headers are given in the wrong order; A12 has a body that is not
/// signed.
const Vector kVectors[] = {
    {"A1",
     {"GET",
      "/v3/apps/desls83s2/rooms",
      "prefix=meeting&offset=0&limit=10",
      "rtc.qiniuapi.com",
      "application/json",
      {},
      ""},
     "Qiniu AK-test-0123456789:Nz0_DbEaRpm7BFzMp04nL273DYg="},
    {"A2",
     {"POST",
      "/v3/apps",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {},
      R"({"hub":"myhub","title":"demo","maxUsers":10,"noAutoKickUser":true})"},
     "Qiniu AK-test-0123456789:PGeOtYlMJxgceWurB7M9UUt5_ts="},
    {"A3",
     {"DELETE",
      "/v3/apps/desls83s2/rooms/meeting-001/users/user1",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {},
      ""},
     "Qiniu AK-test-0123456789:3a2NxCFiv3ygGTtKlLnbHlI_-iY="},
    {"A4",
     {"GET", "/v3/apps/desls83s2", "", "rtc.qiniuapi.com", "", {}, ""},
     "Qiniu AK-test-0123456789:C-52eiQjVTbfvI2mf9ReOG4Fiqc="},
    {"A5",
     {"GET", "/v3/apps/desls83s2", "", "127.0.0.1:8080", "application/json", {}, ""},
     "Qiniu AK-test-0123456789:35eCx4kW9lLbL7JJX9FmNgEfN8s="},
    {"A6",
     {"GET",
      "/v3/apps/desls83s2/rooms/meeting-001/users",
      "",
      "rtc.qiniuapi.com",
      "",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      ""},
     "Qiniu AK-test-0123456789:xUa6pdEcTeOpHWaWsCo7N1pDbbc="},
    {"A7",
     {"DELETE",
      "/v3/apps/desls83s2/rooms/meeting-001",
      "",
      "rtc.qiniuapi.com",
      "",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      ""},
     "Qiniu AK-test-0123456789:47Mb-rsO-xCGM5oLOJLdx2yjv70="},
    {"A8",
     {"GET",
      "/v3/apps/desls83s2/rooms",
      "prefix=meeting",
      "rtc.qiniuapi.com",
      "application/x-www-form-urlencoded",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      ""},
     "Qiniu AK-test-0123456789:nDEAX-BljSrR2dDooqd7T7zXDC8="},
    {"A9",
     {"POST",
      "/v3/apps",
      "",
      "rtc.qiniuapi.com",
      "application/x-www-form-urlencoded",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      "hub=myhub&title=demo"},
     "Qiniu AK-test-0123456789:bIwVssSLvBi_eaC7mZk-LGdfcwY="},
    {"A10",
     {"GET",
      "/v3/apps/desls83s2",
      "",
      "rtc.qiniuapi.com",
      "application/x-www-form-urlencoded",
      {},
      ""},
     "Qiniu AK-test-0123456789:WANsPiGVWUphD-8NBi9OrMzgm8Q="},
    {"A11",
     {"POST",
      "/v4/apps/desls83s2/rooms/meeting-001/jobs/stop",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      R"({"id":"basic-ulwelrjl12"})"},
     "Qiniu AK-test-0123456789:VRolt5cMg6elFCqAbjUO8bBcPEs="},
    {"A12",
     {"POST", "/v3/apps", "", "rtc.qiniuapi.com", "application/octet-stream", {}, "left out"},
     "Qiniu AK-test-0123456789:P1TYOfxsUmQvYcis1CSW0xeouro="},
    {"A13",
     {"POST",
      "/v3/apps",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      R"({"appId":null,"hub":null,"title":"demo","maxUsers":20,"noAutoKickUser":false})"},
     "Qiniu AK-test-0123456789:TmcqDFKGTTtGLmUYuf683vhfSL0="},
    {"A14",
     {"DELETE",
      "/v3/apps/desls83s2/rooms/meeting-001/merge",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {{"X-Qiniu-Date", "20240102T030405Z"}},
      ""},
     "Qiniu AK-test-0123456789:c0hTaOa7qui0Z3ANYMnRLMXS7fI="},
    {"A15",
     {"PUT",
      "/x",
      "",
      "rtc.qiniuapi.com",
      "application/json",
      {{"X-Qiniu-Foo", "bar"}, {"X-Qiniu-Date", "20240102T030405Z"}},
      "{}"},
     "Qiniu AK-test-0123456789:yju209v9DorbW6oLL7B_NBZwYaM="},
};

/// 2024-01-02T03:04:05Z, the date of the vectors.
constexpr std::int64_t kDate = 1'704'164'645;

Result<std::string> verify(const SignedRequestView& request,
                           std::string_view authorization,
                           std::int64_t now = kDate) {
    return verify_request(request, authorization, FakeKeys{}, at_seconds(now));
}

TEST(QiniuSignature, R1_PublishedVectors) {
    for (const Vector& v : kVectors) {
        EXPECT_EQ(sign_request(kTestKey, v.request), v.authorization) << v.name;
        const Result<std::string> key = verify(v.request, v.authorization);
        ASSERT_TRUE(key.has_value()) << v.name << ' ' << key.error().what;
        EXPECT_EQ(*key, kTestKey.access_key);
    }
}

TEST(QiniuSignature, R1_EveryOneByteMutationOfTheAuthorizationIsRefused) {
    for (const Vector& v : kVectors) {
        for (std::size_t i = 0; i < v.authorization.size(); ++i) {
            std::string changed(v.authorization);
            changed[i] = static_cast<char>(changed[i] ^ 1);
            ASSERT_FALSE(verify(v.request, changed).has_value()) << v.name << " byte " << i;
            ASSERT_FALSE(verify(v.request, v.authorization.substr(0, i)).has_value());
        }
    }
}

TEST(QiniuSignature, R1_EveryOneByteMutationOfASignedPartIsRefused) {
    for (const Vector& v : kVectors) {
        std::string_view SignedRequestView::*const parts[] = {&SignedRequestView::method,
                                                              &SignedRequestView::path,
                                                              &SignedRequestView::query,
                                                              &SignedRequestView::host,
                                                              &SignedRequestView::content_type,
                                                              &SignedRequestView::body};
        for (const auto part : parts) {
            const bool unsigned_body = part == &SignedRequestView::body &&
                                       v.request.content_type == "application/octet-stream";
            for (std::size_t i = 0; i < (v.request.*part).size() && !unsigned_body; ++i) {
                std::string changed(v.request.*part);
                changed[i] = static_cast<char>(changed[i] ^ 1);
                SignedRequestView request = v.request;
                request.*part = changed;
                ASSERT_FALSE(verify(request, v.authorization).has_value()) << v.name << ' ' << i;
            }
        }
        SignedRequestView extra = v.request;
        extra.headers.emplace_back("x-qiniu-more", "1");
        EXPECT_FALSE(verify(extra, v.authorization).has_value());
        extra.headers.back() = {"X-Qiniu-", "nothing after the prefix"};
        EXPECT_TRUE(verify(extra, v.authorization).has_value());
        extra.headers.back() = {"Accept", "*/*"};
        EXPECT_TRUE(verify(extra, v.authorization).has_value());
    }
}

TEST(QiniuSignature, HeaderNamesAreCanonical) {
    SignedRequestView request = kVectors[14].request;
    request.headers = {{"x-QINIU-foo", "bar"}, {"x-qiniu-date", "20240102T030405Z"}};
    EXPECT_EQ(sign_request(kTestKey, request), kVectors[14].authorization);
}

TEST(QiniuSignature, DateMayBeOffByALittle) {
    const Vector& dated = kVectors[5];
    const std::int64_t limit = kMaxSignatureAge / 1s;
    for (const std::int64_t off : {-limit, std::int64_t{0}, limit}) {
        EXPECT_TRUE(verify(dated.request, dated.authorization, kDate + off).has_value()) << off;
    }
    for (const std::int64_t off : {-limit - 1, limit + 1}) {
        const auto result = verify(dated.request, dated.authorization, kDate + off);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, Errc::kExpired);
    }
    for (const char* date : {"",
                             "20240102",
                             "20240102T030405",
                             "20240132T030405Z",
                             "2024x102T030405Z",
                             "20240102T240405Z",
                             "20240102Z030405T",
                             "00000102T030405Z"}) {
        SignedRequestView request = dated.request;
        request.headers = {{"X-Qiniu-Date", date}};
        EXPECT_FALSE(verify(request, sign_request(kTestKey, request)).has_value()) << date;
    }
}

TEST(QiniuSignature, DecodedPathAndLeftOutBody) {
    SignedRequestView plain{"GET", "/v3/apps/a b", "", "h", "", {}, ""};
    SignedRequestView escaped = plain;
    escaped.path = "/v3/apps/a%20b";
    EXPECT_TRUE(verify(escaped, sign_request(kTestKey, plain)).has_value());
    EXPECT_TRUE(verify(escaped, sign_request(kTestKey, escaped)).has_value());
    EXPECT_FALSE(verify(plain, sign_request(kTestKey, escaped)).has_value());

    SignedRequestView body{"POST", "/x", "", "h", "application/json; charset=utf-8", {}, "{}"};
    SignedRequestView without = body;
    without.body = "";
    EXPECT_TRUE(verify(body, sign_request(kTestKey, without)).has_value());
    body.content_type = without.content_type = "application/json";
    EXPECT_FALSE(verify(body, sign_request(kTestKey, without)).has_value());
}

TEST(QiniuSignature, OtherSchemesAndKeys) {
    const Vector& v = kVectors[3];
    std::string qbox(v.authorization);
    qbox.replace(0, 5, "QBox");
    EXPECT_EQ(verify(v.request, qbox).error().code, Errc::kMalformed);
    EXPECT_EQ(verify(v.request, "").error().code, Errc::kMalformed);
    EXPECT_EQ(verify(v.request, "Qiniu nocolon").error().code, Errc::kMalformed);
    EXPECT_EQ(verify(v.request, sign_request({"AK-unknown", "x"}, v.request)).error().code,
              Errc::kNotFound);
    EXPECT_EQ(verify(v.request, sign_request({kTestKey.access_key, "x"}, v.request)).error().code,
              Errc::kBadIntegrity);
}

}  // namespace
}  // namespace parley::auth
