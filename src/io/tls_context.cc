#include "io/tls_context.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/address.h"
#include "io/kernel_random.h"

namespace parley::io {
namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* p) const {
        Free(p);
    }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

std::string take_text(BIO* bio) {
    const char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

bool add_extension(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const std::string& certificate_file,
                                                           const std::string& key_file) {
    SSL_CTX* const native = SSL_CTX_new(TLS_server_method());
    if (native == nullptr) return fail(Errc::kInternal, "no memory for a TLS context");
    std::shared_ptr<const TlsContext> context(new TlsContext(native));
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    // A client may close its TCP stream without close_notify. Requests carry their own length, so that nothing
    // can be cut off unseen, and an answer that is under way can still go out.
    SSL_CTX_set_options(native,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Clients resume with tickets, which they keep themselves; the cache would be for old ones only, and up to
    // 20,000 of them.
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    // Idle connections give their record buffers back.
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    for (const std::string* file : {&certificate_file, &key_file}) {
        const BioPtr readable(BIO_new_file(file->c_str(), "r"));
        if (!readable) return fail(Errc::kNotFound, "cannot read a TLS certificate or key file");
    }
    if (SSL_CTX_use_certificate_chain_file(native, certificate_file.c_str()) != 1) {
        return fail(Errc::kMalformed, "TLS certificate file is not a PEM certificate chain");
    }
    if (SSL_CTX_use_PrivateKey_file(native, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return fail(Errc::kConflict, "TLS key is not a PEM key of this certificate");
    }
    if (SSL_CTX_check_private_key(native) != 1) {
        return fail(Errc::kConflict, "TLS key does not belong to the certificate");
    }
    return context;
}

Result<SelfSignedCertificate> make_self_signed_certificate(const std::vector<std::string>& names,
                                                           int valid_days) {
    const KeyPtr key(EVP_EC_gen("P-256"));
    const CertPtr certificate(X509_new());
    if (!key || !certificate) return fail(Errc::kInternal, "cannot make a key");
    X509* x = certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), random_seed() >> 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), static_cast<long>(valid_days) * 86400);
    X509_set_pubkey(x, key.get());
    X509_NAME* subject = X509_get_subject_name(x);
    static constexpr std::string_view kName = "Parley development";
    const Bytes name = to_bytes(as_bytes_view(kName));
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name.data(), static_cast<int>(name.size()), -1, 0);
    X509_set_issuer_name(x, subject);
    std::string alternatives;
    for (const std::string& text : names) {
        if (!alternatives.empty()) alternatives += ',';
        alternatives += IpAddress::parse(text) ? "IP:" : "DNS:";
        alternatives += text;
    }
    if (!alternatives.empty() && !add_extension(x, NID_subject_alt_name, alternatives)) {
        return fail(Errc::kMalformed, "a name does not fit into a certificate");
    }
    if (!add_extension(x, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(x, NID_ext_key_usage, "serverAuth") || X509_sign(x, key.get(), EVP_sha256()) == 0) {
        return fail(Errc::kInternal, "cannot sign a certificate");
    }
    const BioPtr certificate_text(BIO_new(BIO_s_mem()));
    const BioPtr key_text(BIO_new(BIO_s_mem()));
    if (!certificate_text || !key_text || PEM_write_bio_X509(certificate_text.get(), x) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
        return fail(Errc::kInternal, "cannot write a certificate");
    }
    return SelfSignedCertificate{take_text(certificate_text.get()), take_text(key_text.get())};
}

}  // namespace parley::io
