#pragma once

#include <vector>

#include "rest/history.h"
#include "rest/signed_calls.h"

namespace parley::rest {

/// The calls of `/x1/` that read the event log, its outbox and the points of quality, and send
/// events again.
class X1History {
public:
    /// `history` must outlive it.
    explicit X1History(History& history) : history_(history) {}

    [[nodiscard]] std::vector<SignedRoute> routes();

private:
    using Call = SignedCall;
    HttpResponse list_events(Call& call);
    HttpResponse list_past_rooms(Call& call);
    HttpResponse list_deliveries(Call& call);
    HttpResponse get_quality(Call& call);
    HttpResponse get_usage(Call& call);
    HttpResponse replay_delivery(Call& call);
    HttpResponse replay(Call& call);

    History& history_;
};

}  // namespace parley::rest
