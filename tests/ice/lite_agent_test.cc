#include "ice/lite_agent.h"

#include <gtest/gtest.h>

#include "ice/stun.h"

namespace parley::ice {
namespace {

const Credentials kLocal{"serverufrag", "serverpasswordserverpassword"};
const Credentials kNew{"secondufrag", "secondpasswordsecondpassword"};

Path path(std::uint16_t port) { return {.remote = {IpAddress::v4(0x0a000001), port}}; }

struct CheckOptions {
    bool nominate = false;
    bool controlled = false;
    std::uint16_t unknown = 0;
};

Bytes check(const Credentials& to, const CheckOptions& options = {}) {
    StunWriter writer(StunType::kBindingRequest, {1, 2, 3});
    writer.username(to.ufrag + ":browser");
    if (options.controlled) {
        writer.ice_controlled(1);
    } else {
        writer.ice_controlling(1);
    }
    if (options.nominate) writer.use_candidate();
    return writer.finish(to.password);
}

class LiteAgentTest : public ::testing::Test {
protected:
    Outcome feed(const Path& from, ByteView message) {
        Outcome out;
        agent.handle_stun(now, from, message, out);
        return out;
    }
    Instant now{100s};
    LiteAgent agent{{.local = kLocal}, now};
};

TEST_F(LiteAgentTest, AnswersAnAuthenticatedCheckAndSelectsItsPath) {
    const Outcome out = feed(path(1), check(kLocal));
    EXPECT_TRUE(out.proven);
    EXPECT_EQ(out.selected, path(1));
    EXPECT_EQ(out.state, State::kConnected);
    const auto answer = parse_stun(out.response);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->type, StunType::kBindingSuccess);
    EXPECT_EQ(answer->xor_mapped_address, path(1).remote);
    EXPECT_TRUE(answer->has_integrity(kLocal.password));
}

TEST_F(LiteAgentTest, SaysNothingToWhatIsNotAuthentic) {
    Bytes changed = check(kLocal);
    changed[30] ^= 1;
    const Bytes foreign = check({kLocal.ufrag, "wrongpassword"});
    const Bytes unknown = check({"nobody", kLocal.password});
    const Bytes garbage(50, 0);
    for (const Bytes& bytes : {changed, foreign, unknown, garbage, Bytes{}}) {
        const Outcome out = feed(path(1), bytes);
        EXPECT_TRUE(out.response.empty());
        EXPECT_FALSE(out.proven);
        EXPECT_FALSE(out.selected.has_value());
    }
    EXPECT_EQ(agent.state(), State::kWaiting);
    EXPECT_EQ(agent.stats().checks, 0U);
    EXPECT_EQ(agent.stats().bad_integrity + agent.stats().malformed, 5U);
}

TEST_F(LiteAgentTest, MovesOnlyWithANomination) {
    feed(path(1), check(kLocal, {.nominate = true}));
    EXPECT_FALSE(feed(path(2), check(kLocal)).selected.has_value());
    EXPECT_EQ(agent.selected(), path(1));
    EXPECT_EQ(feed(path(2), check(kLocal, {.nominate = true})).selected, path(2));
    EXPECT_EQ(agent.stats().path_changes, 1U);
}

TEST_F(LiteAgentTest, IsAlwaysControlled) {
    // RFC 8445 section 7.3.1.1.
    const Outcome out = feed(path(1), check(kLocal, {.controlled = true}));
    const auto answer = parse_stun(out.response);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->error_code, 487);
    EXPECT_FALSE(out.selected.has_value());
}

TEST_F(LiteAgentTest, AcceptsOldAndNewCredentialsUntilTheNewOnesNominate) {
    feed(path(1), check(kLocal, {.nominate = true}));
    agent.restart(now, kNew);
    EXPECT_TRUE(feed(path(1), check(kLocal)).proven);
    EXPECT_TRUE(feed(path(2), check(kNew)).proven);
    EXPECT_EQ(agent.selected(), path(1)) << "the path stays until a check moves it";
    EXPECT_TRUE(feed(path(2), check(kNew, {.nominate = true})).proven);
    EXPECT_EQ(agent.selected(), path(2));
    EXPECT_FALSE(feed(path(1), check(kLocal)).proven) << "the old ones are over";
    EXPECT_TRUE(agent.owns(kNew.ufrag));
    EXPECT_FALSE(agent.owns(kLocal.ufrag));
}

TEST_F(LiteAgentTest, LosesConsentAfter30SecondsWithoutChecks) {
    EXPECT_FALSE(agent.next_deadline().has_value());
    feed(path(1), check(kLocal));
    std::vector<State> states;
    for (int i = 0; i < 10 && agent.next_deadline(); ++i) {
        now = *agent.next_deadline();
        Outcome out;
        agent.handle_timeout(now, out);
        if (out.state) states.push_back(*out.state);
        EXPECT_TRUE(!agent.next_deadline() || *agent.next_deadline() > now);
    }
    EXPECT_EQ(states, (std::vector{State::kDisconnected, State::kFailed}));
    EXPECT_EQ(now, Instant(130s));
    EXPECT_TRUE(feed(path(1), check(kLocal)).response.empty()) << "failed is final";
}

TEST_F(LiteAgentTest, ComesBackFromDisconnected) {
    feed(path(1), check(kLocal));
    now += 8s;
    Outcome out;
    agent.handle_timeout(now, out);
    EXPECT_EQ(agent.state(), State::kDisconnected);
    EXPECT_EQ(feed(path(1), check(kLocal)).state, State::kConnected);
    agent.handle_timeout(now, out);
    agent.handle_timeout(now, out);
    EXPECT_EQ(agent.state(), State::kConnected) << "early and repeated timeouts do no harm";
}

}  // namespace
}  // namespace parley::ice
