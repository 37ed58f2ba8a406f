#include "loadgen/ice_client.h"

#include <gtest/gtest.h>

namespace parley::loadgen {
namespace {

const ice::Credentials kLocal{"mine", "passwordpasswordpassword"};
const ice::Credentials kRemote{"yours", "secretsecretsecretsecret"};
const SocketAddress kServer{IpAddress::v4(0x7f000001), 7700};
constexpr Instant kStart{1000s};

class IceClientTest : public testing::Test {
protected:
    /// The next check as the server sees it; its bytes stay valid until the next call.
    ice::StunMessage check(Instant now) {
        const auto bytes = client_.take_check(now);
        EXPECT_TRUE(bytes);
        sent_ = bytes.value_or(Bytes{});
        const auto parsed = ice::parse_stun(sent_);
        EXPECT_TRUE(parsed);
        return parsed.value_or(ice::StunMessage{});
    }
    static Bytes answer(ice::StunType type, const ice::TransactionId& id, const std::string& password,
                        std::uint16_t error = 0) {
        ice::StunWriter writer(type, id);
        if (error != 0) writer.error_code(error, "x");
        return writer.finish(password);
    }
    static Bytes check_of_server(const std::string& password) {
        ice::StunWriter writer(ice::StunType::kBindingRequest, {1, 2, 3});
        writer.username("mine:yours");
        writer.ice_controlling(7);
        return writer.finish(password);
    }

    IceClient client_{kLocal, kRemote, Rng(5), kStart};
    Bytes sent_;
};

TEST_F(IceClientTest, NominatesAndIsConnectedByTheFirstAnswer) {
    const ice::StunMessage first = check(kStart);
    EXPECT_EQ(first.username, "yours:mine");
    EXPECT_TRUE(first.use_candidate);
    EXPECT_TRUE(first.ice_controlling);
    EXPECT_TRUE(first.has_integrity(kRemote.password));
    const auto forged = answer(ice::StunType::kBindingSuccess, first.transaction_id, "wrongwrongwrongwrongwrong");
    EXPECT_FALSE(client_.handle_stun(kStart, kServer, forged).connected);
    const auto genuine = answer(ice::StunType::kBindingSuccess, first.transaction_id, kRemote.password);
    EXPECT_TRUE(client_.handle_stun(kStart, kServer, genuine).connected);
    EXPECT_FALSE(client_.handle_stun(kStart, kServer, genuine).connected);
    EXPECT_TRUE(client_.is_connected());
}

TEST_F(IceClientTest, AnswersAServerWithFullIceAndLeavesItTheControllingRole) {
    const auto handled = client_.handle_stun(kStart, kServer, check_of_server(kLocal.password));
    const auto parsed = ice::parse_stun(handled.answer);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->type, ice::StunType::kBindingSuccess);
    EXPECT_TRUE(parsed->has_integrity(kLocal.password));
    EXPECT_EQ(parsed->xor_mapped_address, kServer);
    const ice::StunMessage next = check(kStart);
    EXPECT_TRUE(next.ice_controlled);
    EXPECT_FALSE(next.use_candidate);
}

TEST_F(IceClientTest, DoesNotAnswerAStranger) {
    EXPECT_TRUE(client_.handle_stun(kStart, kServer, check_of_server("wrongwrongwrongwrongwrong")).answer.empty());
    EXPECT_TRUE(check(kStart).ice_controlling);
}

TEST_F(IceClientTest, ChangesItsRoleWhenToldOfAConflict) {
    const ice::StunMessage first = check(kStart);
    const ice::TransactionId id = first.transaction_id;
    const auto conflict = answer(ice::StunType::kBindingError, id, kRemote.password, 487);
    EXPECT_FALSE(client_.handle_stun(kStart, kServer, conflict).connected);
    const ice::StunMessage second = check(kStart);
    EXPECT_TRUE(second.ice_controlled);
    EXPECT_NE(second.transaction_id, id);
}

}  // namespace
}  // namespace parley::loadgen
