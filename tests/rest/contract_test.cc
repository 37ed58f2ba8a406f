#include "rest/contract.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>
#include <string>

namespace parley::rest {
namespace {

namespace json = boost::json;

/// Calls `use` for every string under `$ref`.
template <class Use>
void each_reference(const json::value& value, const Use& use) {
    if (const json::array* list = value.if_array()) {
        for (const json::value& item : *list) each_reference(item, use);
    }
    if (const json::object* object = value.if_object()) {
        for (const auto& member : *object) {
            if (member.key() == "$ref" && member.value().is_string()) {
                use(std::string(member.value().get_string()));
            }
            each_reference(member.value(), use);
        }
    }
}

TEST(Contract, ReferencesResolveAndNamesAreUnique) {
    const json::value document = json::parse(contract());
    EXPECT_EQ(document.at("openapi").as_string(), "3.1.0");
    each_reference(document, [&](const std::string& reference) {
        ASSERT_EQ(reference.substr(0, 2), "#/");
        boost::system::error_code error;
        document.find_pointer(reference.substr(1), error);
        EXPECT_FALSE(error) << reference;
    });
    std::set<std::string> names;
    for (const auto& path : document.at("paths").as_object()) {
        EXPECT_TRUE(std::string(path.key()).starts_with("/x1/"));
        for (const auto& operation : path.value().as_object()) {
            EXPECT_TRUE(names.emplace(operation.value().at("operationId").as_string()).second);
        }
    }
}

}  // namespace
}  // namespace parley::rest
