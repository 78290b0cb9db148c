// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mtkey::bsf {

/// From now on SQLite's memory is wiped when it is freed: pages and rows hold K, OPc and Ks. For
/// the whole process, before the first connection; may be called again.
void use_wiping_allocator();

} // namespace mtkey::bsf
