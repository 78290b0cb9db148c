// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace mtkey::vectors {

/// The repository's folder. Not a define of every test: their objects would be each clone's own,
/// and ccache could share none.
std::string source_root();

} // namespace mtkey::vectors
