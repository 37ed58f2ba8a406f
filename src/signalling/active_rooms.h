#pragma once

#include <algorithm>
#include <boost/multi_index/identity.hpp>
#include <boost/multi_index/ranked_index.hpp>
#include <boost/multi_index_container.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace parley::signalling {

/// Names of an app's rooms in order, counted: a page anywhere costs what the page costs, however
/// many rooms come before it.
class ActiveRooms {
public:
    void set(const std::string& app_id, const std::string& name, bool active) {
        if (active) {
            apps_[app_id].insert(name);
            return;
        }
        const auto app = apps_.find(app_id);
        if (app == apps_.end()) return;
        app->second.erase(name);
        if (app->second.empty()) apps_.erase(app);
    }

    /// At most `limit` names with this prefix, after the first `offset` of them.
    [[nodiscard]] std::vector<std::string> page(std::string_view app_id,
                                                std::string_view prefix,
                                                std::size_t offset,
                                                std::size_t limit) const {
        const auto app = apps_.find(app_id);
        std::vector<std::string> out;
        if (app == apps_.end()) return out;
        const Names& names = app->second;
        const std::size_t first = names.lower_bound_rank(std::string(prefix));
        if (offset >= names.size() - first) return out;
        for (auto at = names.nth(first + offset);
             at != names.end() && out.size() < limit && at->starts_with(prefix);
             ++at) {
            out.push_back(*at);
        }
        return out;
    }

    /// At most `limit` names with this prefix that come after `after`.
    [[nodiscard]] std::vector<std::string> page_after(std::string_view app_id,
                                                      std::string_view prefix,
                                                      std::string_view after,
                                                      std::size_t limit) const {
        const auto app = apps_.find(app_id);
        std::vector<std::string> out;
        if (app == apps_.end()) return out;
        const std::string from(std::max(prefix, after));
        for (auto at = app->second.lower_bound(from);
             at != app->second.end() && out.size() < limit && at->starts_with(prefix);
             ++at) {
            if (*at != after) out.push_back(*at);
        }
        return out;
    }

private:
    using Names = boost::multi_index_container<
        std::string,
        boost::multi_index::indexed_by<
            boost::multi_index::ranked_unique<boost::multi_index::identity<std::string>>>>;
    std::map<std::string, Names, std::less<>> apps_;
};

}  // namespace parley::signalling
