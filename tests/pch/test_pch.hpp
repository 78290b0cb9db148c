// SPDX-License-Identifier: Apache-2.0
// What nearly every test includes by itself too: read once for each test program, where nobody has
// compiled it before (tools/lib.sh). It is compiled by itself, so without a guard.
#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>
