#include "outgoing/http_sender.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "base/check.h"

namespace parley::outgoing {
namespace {

constexpr long kMaxIdleConnections = 64;
constexpr int kMaxWaitMs = 60'000;

IpAddress to_address(const sockaddr& address, socklen_t length) {
    IpAddress out;  // `::`, which no gate lets through
    if (address.sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        std::memcpy(out.bytes.data(), &v6.sin6_addr, out.bytes.size());
    }
    return out;
}

void start_curl_once() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

struct HttpSender::Impl {
    struct EasyCloser {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };
    struct MultiCloser {
        void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
    };
    struct ListCloser {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    /// One request under way. libcurl borrows what is in it.
    struct Transfer {
        Post post;
        std::string host;
        const gate::UrlGate* gate = nullptr;
        bool refused = false;  ///< by the gate, at the socket
        std::size_t answer_bytes = 0;
        std::unique_ptr<curl_slist, ListCloser> headers;
        std::unique_ptr<CURL, EasyCloser> easy;
    };

    static curl_socket_t open_socket(void* transfer, curlsocktype, curl_sockaddr* address);
    static std::size_t count_answer(char*, std::size_t size, std::size_t count, void* transfer);
    void collect();

    gate::UrlGate gate;
    std::unique_ptr<CURLM, MultiCloser> multi;
    std::map<CURL*, std::unique_ptr<Transfer>> transfers;
    std::vector<Outcome> outcomes;
};

curl_socket_t HttpSender::Impl::open_socket(void* transfer, curlsocktype, curl_sockaddr* address) {
    auto* const self = static_cast<Transfer*>(transfer);
    if (!self->gate->check_address(self->host, to_address(address->addr, address->addrlen))) {
        self->refused = true;
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/// The body of an answer means nothing to us. Returning less than was given ends the transfer.
std::size_t HttpSender::Impl::count_answer(char*,
                                           std::size_t size,
                                           std::size_t count,
                                           void* transfer) {
    auto* const self = static_cast<Transfer*>(transfer);
    self->answer_bytes += size * count;
    return self->answer_bytes > HttpSender::kMaxAnswerBytes ? 0 : size * count;
}

HttpSender::HttpSender(gate::UrlGate gate) : impl_(std::make_unique<Impl>()) {
    start_curl_once();
    impl_->gate = std::move(gate);
    impl_->multi.reset(curl_multi_init());
    PARLEY_CHECK(impl_->multi != nullptr);
    curl_multi_setopt(impl_->multi.get(), CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
}

HttpSender::~HttpSender() {
    for (const auto& [easy, transfer] : impl_->transfers)
        curl_multi_remove_handle(impl_->multi.get(), easy);
}

Result<void> HttpSender::start(Post post) {
    const Result<gate::Url> url = impl_->gate.check_url(post.url);
    if (!url) return tl::unexpected(url.error());
    auto transfer = std::make_unique<Impl::Transfer>();
    transfer->post = std::move(post);
    transfer->host = url->host;
    transfer->gate = &impl_->gate;
    transfer->easy.reset(curl_easy_init());
    CURL* const easy = transfer->easy.get();
    if (easy == nullptr) return fail(Errc::kSystem, "out of memory");
    for (const auto& [name, value] : transfer->post.headers) {
        std::string line = name;
        line.append(": ").append(value);
        curl_slist* const longer = curl_slist_append(transfer->headers.get(), line.c_str());
        if (longer == nullptr) return fail(Errc::kSystem, "out of memory");
        static_cast<void>(transfer->headers.release());
        transfer->headers.reset(longer);
    }
    curl_easy_setopt(easy, CURLOPT_URL, transfer->post.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // one of the environment would hide the address
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(to_ms(transfer->post.timeout)));
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->post.body.data());
    curl_easy_setopt(
        easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer->post.body.size()));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers.get());
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, Impl::open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Impl::count_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
    if (curl_multi_add_handle(impl_->multi.get(), easy) != CURLM_OK)
        return fail(Errc::kSystem, "cannot start a request");
    impl_->transfers.emplace(easy, std::move(transfer));
    return {};
}

void HttpSender::Impl::collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        const auto at = transfers.find(message->easy_handle);
        PARLEY_CHECK(at != transfers.end());
        const CURLcode code = message->data.result;
        const Transfer& transfer = *at->second;
        long status = 0;
        curl_easy_getinfo(at->first, CURLINFO_RESPONSE_CODE, &status);
        const bool long_answer = transfer.answer_bytes > kMaxAnswerBytes;
        Outcome outcome;
        outcome.id = transfer.post.id;
        if (code == CURLE_OK || (long_answer && code == CURLE_WRITE_ERROR)) {
            outcome.status = static_cast<int>(status);
        } else if (transfer.refused) {
            outcome.error = "the host's address is not allowed";
        } else {
            outcome.error = curl_easy_strerror(code);
        }
        outcomes.push_back(std::move(outcome));
        curl_multi_remove_handle(multi.get(), at->first);
        transfers.erase(at);
    }
}

void HttpSender::wait(Duration patience) {
    int running = 0;
    curl_multi_perform(impl_->multi.get(), &running);
    impl_->collect();
    if (!impl_->outcomes.empty()) return;
    const auto ms =
        static_cast<int>(std::clamp<std::int64_t>(to_ms(patience + 999'999ns), 0, kMaxWaitMs));
    curl_multi_poll(impl_->multi.get(), nullptr, 0, ms, nullptr);
    curl_multi_perform(impl_->multi.get(), &running);
    impl_->collect();
}

std::vector<Outcome> HttpSender::take_outcomes() { return std::exchange(impl_->outcomes, {}); }

void HttpSender::wake() { curl_multi_wakeup(impl_->multi.get()); }

}  // namespace parley::outgoing
