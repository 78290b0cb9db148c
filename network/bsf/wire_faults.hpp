// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/server.hpp"
#include "network/bsf/faults.hpp"

#include <string>

namespace mtkey::bsf {

/// True when a fault is one of the wire's: then answers go through shape_answer().
bool any_on_wire(const Faults& faults);
/// The faults of the wire, done to the octets of one answer. Pure.
http::ShapedAnswer shape_answer(const Faults& faults, const std::string& answer);

} // namespace mtkey::bsf
