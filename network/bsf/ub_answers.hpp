// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"
#include "base/result.hpp"
#include "network/bsf/faults.hpp"

#include <optional>
#include <string_view>

namespace mtkey::bsf {

/// Without a body; with the BSF's product token.
HttpResponse answer_of(unsigned status);
HttpResponse text_answer(unsigned status, std::string_view text);
/// For strangers and for those that failed the same, without a reason. That a stranger gets no
/// challenge tells who is a subscriber all the same: there is no vector to send.
HttpResponse forbidden();
/// Logs and counts it; what the UE gets to know of it.
HttpResponse answer_of(const Error& error);
/// What every request gets, where a fault says so.
std::optional<HttpResponse> status_fault(const Faults& faults);

} // namespace mtkey::bsf
