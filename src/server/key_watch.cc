#include "server/key_watch.h"

#include <utility>

#include "io/clock.h"
#include "server/log.h"

namespace parley::server {

void KeyWatch::ask() {
    timer_.arm(io::read_monotonic_clock() + kInterval);
    const AppStore::KeyChanges changes = apps_.key_changes();
    // What this process changed and has not written yet, the store would deny.
    if (changes.last > flushed_) return;
    // When too many wait, the next time will do.
    static_cast<void>(reader_.ask([this, count = changes.count](store::Connection& connection) {
        auto content = store::load_accounts(connection);
        loop_.post([this, count, content = std::move(content)]() mutable {
            take(count, std::move(content));
        });
    }));
}

void KeyWatch::take(std::uint64_t changes_before, store::SqlResult<store::AccountContent> content) {
    // Whoever writes to the store says that it is away; here nothing is lost by it.
    if (!content || apps_.key_changes().count != changes_before) return;
    const std::size_t accounts = content->accounts.size();
    if (apps_.take_accounts(*std::move(content)))
        log_info("accounts or keys changed in the store", {{"accounts", accounts}});
}

}  // namespace parley::server
