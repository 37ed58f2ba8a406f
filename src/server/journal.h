#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rest/job_record.h"
#include "server/app_store.h"
#include "server/courier.h"
#include "signalling/outputs.h"
#include "store/event_tables.h"

namespace parley::server {

/// Writes what happens in rooms into the event log and the outbox, each event in one transaction
/// with the change it tells of, if that is in the store too. Belongs to the control loop; it never
/// waits.
class Journal {
public:
    struct Options {
        webhook::Target fallback;  ///< for apps without an address of their own; may be empty
        Duration retention = 30 * 24h;
    };
    static constexpr Duration kPruneInterval = 10s;

    /// `apps` and `courier` must outlive it; `apps` is open.
    Journal(AppStore& apps, Courier& courier, Options options, store::EventContent content);

    /// An app is new, changed or gone.
    void handle_app(const std::string& app_id);

    void record(const signalling::RoomEvent& event);
    /// What belongs into the change that makes `job` of `old` (null: it is new). Once that is
    /// written: `handle_written`.
    [[nodiscard]] std::vector<store::Statement> job_event(const rest::JobRecord* old,
                                                          const rest::JobRecord& job);
    void handle_written();
    /// Every user who is still noted as present has left, with reason `error`, and every room is
    /// closed: at the start, of a process that was killed; at the end, of this one.
    void end_everything(WallTime now);

    /// Sends these events of the app again; the number of those that are queued. kBusy: the bound
    /// of the app or of the store is reached; kConflict: it has no address.
    Result<std::size_t> replay(WallTime now,
                               const std::string& app_id,
                               const std::vector<webhook::Event>& events);
    /// The same for deliveries that ended, which keep their ids.
    Result<std::size_t> replay_deliveries(WallTime now,
                                          const std::string& app_id,
                                          const std::vector<std::uint64_t>& ids);

    /// Everything up to `flushed` is on disk.
    void handle_flushed(store::Store::Ticket flushed);
    void prune(WallTime now);
    /// Events that found the store full.
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    [[nodiscard]] std::uint64_t written() const { return written_; }

private:
    using Change = std::vector<store::Statement>;
    void add(Change& change, webhook::Event event);
    void write(Change change);
    [[nodiscard]] std::optional<webhook::Target> target_of(const std::string& app_id) const;
    [[nodiscard]] store::DeliveryRecord make_delivery(const webhook::Target& target,
                                                      const std::string& app_id,
                                                      std::uint64_t event,
                                                      WallTime now);

    AppStore& apps_;
    Courier& courier_;
    const Options options_;
    std::uint64_t last_event_ = 0;
    std::uint64_t last_delivery_ = 0;
    /// Who is in which room, as in the store; an empty user is the room itself.
    std::map<room::RoomKey, std::set<std::string>> live_;
    /// Deliveries on their way to the disk, by the ticket that has to be flushed.
    struct Unflushed {
        store::Store::Ticket ticket = 0;
        std::string app_id;
    };
    std::deque<Unflushed> unflushed_;
    std::set<std::string> touched_;  ///< apps that the change being made has deliveries of
    std::uint64_t lost_ = 0;
    std::uint64_t written_ = 0;
};

}  // namespace parley::server
