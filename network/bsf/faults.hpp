// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// What a BSF may do wrong on Ub, for tests of UEs (`--fault`). The table in faults.cpp says what
/// each does.
enum class Fault : std::uint8_t {
    // the challenge
    WrongMac,
    OldSqn,
    ResyncForever,
    WrongRealm,
    WrongAlgorithm,
    NoQop,
    QopAuth,
    QopList,
    UnquotedParameters,
    ReorderedParameters,
    UpperCaseParameters,
    ShortNonce,
    BasicToo,
    NoChallenge,
    ChallengeForever,
    // the result
    NoRspauth,
    WrongRspauth,
    WrongCnonce,
    BadXml,
    WrongNamespace,
    NoBtid,
    NoLifetime,
    ExpiredLifetime,
    ExtraElements,
    Doctype,
    WrongType,
    // every answer
    Status403,
    Status404,
    Status500,
    Status503,
    Redirect,
    RedirectElsewhere,
    // the wire
    Gzip,
    Chunked,
    LowerCaseHeaders,
    OneOctetSegments,
    SlowBody,
    CutBody,
    LongHeaders,
    LongBody,
    Garbage,
    NoAnswer,
    CloseAtOnce,
    Last = CloseAtOnce,
};

class Faults {
public:
    [[nodiscard]] bool has(Fault fault) const { return set_[static_cast<std::size_t>(fault)]; }
    [[nodiscard]] bool any() const { return set_.any(); }
    void add(Fault fault) { set_[static_cast<std::size_t>(fault)] = true; }
    /// Their names, with commas.
    [[nodiscard]] std::string names() const;

private:
    std::bitset<static_cast<std::size_t>(Fault::Last) + 1> set_;
};

/// "NAME[,NAME]". InvalidArgument names what is unknown.
Result<Faults> parse_faults(std::string_view list);
/// One line a fault, for people.
std::string fault_table();

} // namespace mtkey::bsf
