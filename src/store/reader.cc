#include "store/reader.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace parley::store {

struct Reader::Impl {
    std::unique_ptr<Connection> connection;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Work> waiting;
    bool stopping = false;
    std::thread thread;

    void run() {
        for (;;) {
            Work work;
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return stopping || !waiting.empty(); });
                if (stopping) return;
                work = std::move(waiting.front());
                waiting.pop_front();
            }
            work(*connection);
        }
    }
};

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::~Reader() { stop(); }

SqlResult<std::unique_ptr<Reader>> Reader::start(const std::string& url) {
    auto impl = std::make_unique<Impl>();
    auto connection = open_database(url);
    if (!connection) return tl::unexpected(connection.error());
    impl->connection = *std::move(connection);
    impl->thread = std::thread([raw = impl.get()] { raw->run(); });
    return std::unique_ptr<Reader>(new Reader(std::move(impl)));
}

bool Reader::ask(Work work) {
    {
        const std::lock_guard lock(impl_->mutex);
        if (impl_->waiting.size() >= kMaxWaiting) return false;
        impl_->waiting.push_back(std::move(work));
    }
    impl_->wake.notify_one();
    return true;
}

void Reader::stop() {
    if (!impl_ || !impl_->thread.joinable()) return;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->wake.notify_one();
    impl_->thread.join();
}

}  // namespace parley::store
