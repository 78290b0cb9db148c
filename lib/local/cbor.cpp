// SPDX-License-Identifier: Apache-2.0
#include "local/cbor.hpp"

#include <array>
#include <string>

namespace mtkey::local {

namespace {

enum Major : unsigned {
    kUnsigned = 0,
    kNegative = 1,
    kOctets = 2,
    kText = 3,
    kArray = 4,
    kMap = 5
};

/// Well-formed UTF-8 of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(ByteView text) {
    for (std::size_t i = 0; i < text.size();) {
        const std::uint8_t lead = text[i++];
        std::size_t more = 0;
        std::uint8_t low = 0x80;
        std::uint8_t high = 0xBF; // of the octet after the lead; the others are 80 to BF
        if (lead < 0x80) {
            continue;
        }
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            low = lead == 0xE0 ? 0xA0 : low;
            high = lead == 0xED ? 0x9F : high;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            low = lead == 0xF0 ? 0x90 : low;
            high = lead == 0xF4 ? 0x8F : high;
        } else {
            return false;
        }
        for (; more > 0; --more, low = 0x80, high = 0xBF) {
            if (i == text.size() || text[i] < low || text[i] > high) {
                return false;
            }
            ++i;
        }
    }
    return true;
}

/// The order of RFC 8949 section 4.2.1, which also rules out a second use of a key.
Result<void> check_order(std::optional<std::uint64_t> last, std::uint64_t key) {
    if (last && key <= *last) {
        return fail(Errc::Malformed, "CBOR: map keys are not strictly ascending");
    }
    return {};
}

} // namespace

void CborWriter::head(unsigned major, std::uint64_t value) {
    const auto type = static_cast<std::uint8_t>(major << 5);
    if (value < 24) {
        out_.push_back(static_cast<std::uint8_t>(type | value));
        return;
    }
    const unsigned log_size = value <= 0xFF ? 0 : value <= 0xFFFF ? 1 : value <= 0xFFFFFFFF ? 2 : 3;
    out_.push_back(static_cast<std::uint8_t>(type | (24 + log_size)));
    for (unsigned shift = 8U << log_size; shift > 0;) {
        shift -= 8;
        out_.push_back(static_cast<std::uint8_t>(value >> shift));
    }
}

void CborWriter::octets(ByteView value) {
    head(kOctets, value.size());
    append(out_, value);
}

void CborWriter::text(std::string_view value) {
    head(kText, value.size());
    append(out_, as_octets(value));
}

Result<ByteView> CborReader::take(std::uint64_t count) {
    if (count > rest_.size()) {
        return fail(Errc::Malformed, "CBOR: cut off");
    }
    const ByteView taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(taken.size());
    return taken;
}

Result<CborReader::Head> CborReader::head() {
    const std::uint8_t first = MTKEY_TRY(take(1))[0];
    const unsigned major = first >> 5;
    const unsigned info = first & 0x1F;
    if (major > kMap) {
        return fail(Errc::Malformed, "CBOR: tags, floats and simple values are not used here");
    }
    if (info < 24) {
        return Head{major, info};
    }
    if (info > 27) {
        return fail(Errc::Malformed, "CBOR: indefinite or reserved length");
    }
    std::uint64_t value = 0;
    for (const std::uint8_t octet : MTKEY_TRY(take(1ULL << (info - 24)))) {
        value = value << 8 | octet;
    }
    constexpr std::array<std::uint64_t, 4> kSmallest{24, 0x100, 0x10000, 0x100000000};
    if (value < kSmallest[info - 24]) {
        return fail(Errc::Malformed, "CBOR: not the shortest form");
    }
    return Head{major, value};
}

Result<std::uint64_t> CborReader::head_of(unsigned major, const char* what) {
    const Head found = MTKEY_TRY(head());
    if (found.major != major) {
        return fail(Errc::Malformed, std::string("CBOR: expected ") + what);
    }
    return found.value;
}

Result<std::uint64_t> CborReader::number() {
    return head_of(kUnsigned, "an unsigned number");
}

Result<ByteView> CborReader::octets() {
    return take(MTKEY_TRY(head_of(kOctets, "an octet string")));
}

Result<std::string_view> CborReader::text() {
    const std::uint64_t size = MTKEY_TRY(head_of(kText, "a text string"));
    const ByteView found = MTKEY_TRY(take(size));
    if (!is_utf8(found)) {
        return fail(Errc::Malformed, "CBOR: text is not UTF-8");
    }
    return as_text(found);
}

Result<std::size_t> CborReader::array() {
    const std::uint64_t count = MTKEY_TRY(head_of(kArray, "an array"));
    if (count > rest_.size()) { // an item has one octet at least
        return fail(Errc::Malformed, "CBOR: cut off");
    }
    return static_cast<std::size_t>(count);
}

Result<std::size_t> CborReader::map() {
    const std::uint64_t count = MTKEY_TRY(head_of(kMap, "a map"));
    if (count > rest_.size() / 2) {
        return fail(Errc::Malformed, "CBOR: cut off");
    }
    return static_cast<std::size_t>(count);
}

Result<void> CborReader::skip(std::size_t inside) {
    struct Level {
        std::uint64_t left = 0; ///< items of an array, pairs of a map
        bool is_map = false;
        std::optional<std::uint64_t> last_key;
    };
    std::array<Level, kCborDepth> levels{};
    std::size_t depth = 0;
    do {
        if (depth > 0) {
            Level& level = levels[depth - 1];
            if (level.left == 0) {
                --depth;
                continue;
            }
            --level.left;
            if (level.is_map) {
                const std::uint64_t key = MTKEY_TRY(number());
                MTKEY_CHECK(check_order(level.last_key, key));
                level.last_key = key;
            }
        }
        const CborReader before = *this;
        const Head found = MTKEY_TRY(head());
        if (found.major == kArray || found.major == kMap) {
            if (inside + depth == kCborDepth) {
                return fail(Errc::Malformed, "CBOR: nested too deeply");
            }
            levels[depth++] = {found.value, found.major == kMap, {}};
        } else if (found.major == kText) {
            *this = before;
            static_cast<void>(MTKEY_TRY(text()));
        } else if (found.major == kOctets) {
            static_cast<void>(MTKEY_TRY(take(found.value)));
        }
    } while (depth > 0);
    return {};
}

Result<void> CborReader::end() const {
    if (!rest_.empty()) {
        return fail(Errc::Malformed, "CBOR: octets behind the end");
    }
    return {};
}

Result<CborMap> CborMap::open(CborReader& reader) {
    return CborMap(reader, MTKEY_TRY(reader.map()));
}

Result<void> CborMap::read_key() {
    const std::uint64_t key = MTKEY_TRY(reader_->number());
    MTKEY_CHECK(check_order(last_, key));
    --left_;
    next_ = last_ = key;
    return {};
}

Result<bool> CborMap::find(std::uint64_t key) {
    if (!next_ && left_ > 0) {
        MTKEY_CHECK(read_key());
    }
    if (!next_ || *next_ > key) {
        return false;
    }
    if (*next_ < key) {
        return fail(Errc::Malformed, "CBOR: unknown key " + std::to_string(*next_));
    }
    next_.reset();
    return true;
}

Result<void> CborMap::require(std::uint64_t key) {
    if (!MTKEY_TRY(find(key))) {
        return fail(Errc::Malformed, "CBOR: key " + std::to_string(key) + " is missing");
    }
    return {};
}

Result<void> CborMap::close() {
    if (next_ || left_ > 0) {
        return fail(Errc::Malformed, "CBOR: unknown key");
    }
    return {};
}

Result<void> CborMap::skip_others() {
    while (next_ || left_ > 0) {
        if (!next_) {
            MTKEY_CHECK(read_key());
        }
        next_.reset();
        MTKEY_CHECK(reader_->skip(1));
    }
    return {};
}

} // namespace mtkey::local
