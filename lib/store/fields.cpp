// SPDX-License-Identifier: Apache-2.0
#include "store/fields.hpp"

namespace mtkey::store {
namespace {

std::unexpected<Error> malformed(const char* what) {
    return fail(Errc::Malformed, std::string("the sealed store holds ") + what);
}

} // namespace

Result<Bytes> FieldReader::counted(std::size_t least, std::size_t most) {
    const std::size_t size = MTKEY_TRY(number<std::uint16_t>());
    if (size < least || size > most) {
        return malformed("a field that is too short or too long");
    }
    Bytes out(size);
    MTKEY_CHECK(source_.read(out));
    return out;
}

Result<std::string> FieldReader::text(std::size_t least, std::size_t most) {
    const Bytes octets = MTKEY_TRY(counted(least, most));
    return std::string(as_text(octets));
}

Result<UtcTime> FieldReader::utc_time() {
    const auto seconds = MTKEY_TRY(number<std::uint64_t>());
    if (seconds > std::uint64_t{kLastSecond}) {
        return malformed("a time behind the year 9999");
    }
    return UtcTime(std::chrono::seconds(seconds));
}

Result<BootTime> FieldReader::boot_time() {
    const auto milliseconds = MTKEY_TRY(number<std::uint64_t>());
    if (milliseconds > std::uint64_t{kLastBootMillisecond}) {
        return malformed("a time that no machine runs for");
    }
    return BootTime(std::chrono::milliseconds(milliseconds));
}

Result<void> FieldReader::end() const {
    return source_.left() == 0 ? Result<void>() : malformed("more than it says");
}

} // namespace mtkey::store
