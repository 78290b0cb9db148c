// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace mtkey::local {

// The part of CBOR that the local interface uses, and nothing else: integers, octet and text
// strings, arrays, and maps with unsigned keys, all in the deterministic encoding of RFC 8949
// section 4.2.1. With unsigned keys only, the orders of RFC 8949 (octet by octet) and RFC 7049
// (shorter first) are the same one. DRAFT-GAP(local-cbor): the draft has no encoding. No tags,
// floats, simple values or indefinite lengths.

inline constexpr std::size_t kCborDepth = 4; ///< arrays and maps inside each other

/// Owns the octets it writes. Counts and the order of keys are the caller's task.
class CborWriter {
public:
    void number(std::uint64_t value) { head(0, value); }
    void octets(ByteView value);
    void text(std::string_view value);
    void array(std::size_t count) { head(4, count); }
    void map(std::size_t count) { head(5, count); }
    [[nodiscard]] Bytes take() { return std::move(out_); }

private:
    void head(unsigned major, std::uint64_t value);
    Bytes out_;
};

/// Reads one item after the other from borrowed octets. Every deviation from the encoding is
/// Errc::Malformed; views that it returns point into the octets.
class CborReader {
public:
    explicit CborReader(ByteView octets) : rest_(octets) {}

    [[nodiscard]] Result<std::uint64_t> number();
    [[nodiscard]] Result<ByteView> octets();
    [[nodiscard]] Result<std::string_view> text(); ///< valid UTF-8
    [[nodiscard]] Result<std::size_t> array();     ///< number of items that follow
    [[nodiscard]] Result<std::size_t> map();       ///< number of pairs that follow
    /// Passes over one item of any kind and checks it as strictly as if it were read. `inside`
    /// arrays and maps are open around it.
    [[nodiscard]] Result<void> skip(std::size_t inside = 0);
    [[nodiscard]] Result<void> end() const; ///< nothing may follow

private:
    struct Head {
        unsigned major;
        std::uint64_t value;
    };
    [[nodiscard]] Result<Head> head();
    [[nodiscard]] Result<std::uint64_t> head_of(unsigned major, const char* what);
    [[nodiscard]] Result<ByteView> take(std::uint64_t count);
    ByteView rest_;
};

/// Walks the pairs of one map in their only permitted order. `reader` is borrowed and stands at a
/// value whenever require() succeeded or find() said true.
class CborMap {
public:
    [[nodiscard]] static Result<CborMap> open(CborReader& reader);
    [[nodiscard]] Result<bool> find(std::uint64_t key); ///< keys are asked for in ascending order
    [[nodiscard]] Result<void> require(std::uint64_t key);
    [[nodiscard]] Result<void> close(); ///< an unread pair is an unknown key
    /// For HELLO, which must stay readable for later versions. Of the outermost map only.
    [[nodiscard]] Result<void> skip_others();

private:
    CborMap(CborReader& reader, std::size_t pairs) : reader_(&reader), left_(pairs) {}
    [[nodiscard]] Result<void> read_key();
    CborReader* reader_;
    std::size_t left_;                  ///< pairs whose key is still unread
    std::optional<std::uint64_t> next_; ///< a key that was read and not yet asked for
    std::optional<std::uint64_t> last_; ///< the key read last
};

} // namespace mtkey::local
