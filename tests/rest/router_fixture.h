#pragma once

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>

#include "support.h"

namespace parley::rest {

/// The whole router over fakes; calls whose answer comes later are waited for.
struct RouterFixture : ::testing::Test, RoutedFakes {
    HttpResponse get(const std::string& target, const auth::AccountKey& key = kKey) {
        HttpResponse response = router.handle(
            Instant{}, kNow, signed_request("GET", target, "", "application/json", key));
        if (!response.later) return response;
        HttpResponse answer;
        response.later([&](HttpResponse late) { answer = std::move(late); });
        return answer;
    }
    boost::json::object ok(const std::string& target) {
        const HttpResponse response = get(target);
        EXPECT_EQ(response.status, 200U) << target << ' ' << response.body;
        return boost::json::parse(response.body).as_object();
    }
};

}  // namespace parley::rest
