#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace parley::io {

/// A server's certificate chain and key, ready for TLS 1.2 and 1.3. Immutable once loaded, so that
/// connections share it; a changed certificate is a new context.
class TlsContext {
public:
    /// PEM files. kNotFound: a file cannot be read; kMalformed: not PEM; kConflict: key and certificate do
    /// not belong together.
    static Result<std::shared_ptr<const TlsContext>> load(const std::string& certificate_file,
                                                          const std::string& key_file);
    ~TlsContext();

    [[nodiscard]] boost::asio::ssl::context& native() const;

private:
    explicit TlsContext(std::unique_ptr<boost::asio::ssl::context> context);
    std::unique_ptr<boost::asio::ssl::context> context_;
};

struct SelfSignedCertificate {
    std::string certificate_pem;
    std::string key_pem;
};

/// An ECDSA P-256 certificate for development. `names` are DNS names or IP literals for subjectAltName.
Result<SelfSignedCertificate> make_self_signed_certificate(const std::vector<std::string>& names,
                                                           int valid_days);

}  // namespace parley::io
