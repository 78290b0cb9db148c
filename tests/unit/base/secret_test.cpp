// SPDX-License-Identifier: Apache-2.0
#include "base/secret.hpp"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <sys/resource.h>
#include <type_traits>
#include <unistd.h>

namespace mtkey {
namespace {

class SecretTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { ASSERT_TRUE(init_secure_heap()); }
};

static_assert(!std::is_copy_constructible_v<SecretBytes> &&
              !std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_copy_constructible_v<Secret<32>>);
static_assert(std::is_nothrow_move_constructible_v<Secret<32>> &&
              std::is_nothrow_move_assignable_v<Secret<32>>);
template <typename T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!Printable<SecretBytes> && !Printable<Secret<16>>);

TEST_F(SecretTest, LivesInTheSecureHeap) {
    const SecretBytes secret(as_octets("0123456789abcdef"));
    EXPECT_EQ(CRYPTO_secure_allocated(secret.reveal().data()), 1);
}

TEST_F(SecretTest, IsWipedWhenReleased) {
    // The arena is ours: what a released block held can be looked at without touching foreign
    // memory.
    const std::uint8_t* place = nullptr;
    {
        const SecretBytes secret(as_octets("key octets key octets key octets"));
        place = secret.reveal().data();
        ASSERT_EQ(std::memcmp(place, "key octets", 10), 0);
    }
    // OpenSSL keeps its free list in the first octets of a free block.
    EXPECT_NE(std::memcmp(place + 16, "octets key oct", 10), 0);
    for (int i = 16; i < 32; ++i) {
        EXPECT_EQ(place[i], 0) << i;
    }
}

TEST_F(SecretTest, MovesLeaveNothingBehind) {
    SecretBytes a(as_octets("abc"));
    SecretBytes b(std::move(a));
    EXPECT_EQ(as_text(b.reveal()), "abc");
    EXPECT_TRUE(a.empty()); // NOLINT(bugprone-use-after-move): that is the question
    a = std::move(b);
    EXPECT_EQ(as_text(a.reveal()), "abc");
    auto& self = a;
    a = std::move(self);
    EXPECT_EQ(as_text(a.reveal()), "abc");
}

TEST_F(SecretTest, ClonesAreEqualAndApart) {
    Secret<4> a;
    a.reveal_writable()[0] = 7;
    Secret<4> b = a.clone();
    EXPECT_TRUE(a == b);
    b.reveal_writable()[3] = 1;
    EXPECT_FALSE(a == b);
    EXPECT_FALSE(SecretBytes(as_octets("ab")) == SecretBytes(as_octets("abc")));
    EXPECT_TRUE(SecretBytes() == SecretBytes());
}

TEST_F(SecretTest, LengthIsChecked) {
    EXPECT_TRUE(Secret<3>::from(as_octets("abc"), "K"));
    EXPECT_FALSE(Secret<3>::from(as_octets("ab"), "K"));
    EXPECT_FALSE(Secret<3>::from(as_octets("abcd"), "K"));
}

TEST_F(SecretTest, FullArenaIsAnExceptionNotPlainMemory) {
    std::vector<SecretBytes> many;
    EXPECT_THROW(
        for (int i = 0; i < 1000; ++i) { many.emplace_back(std::size_t{1024}); }, std::bad_alloc);
}

/// In a process of its own that may lock nothing: 0 when both calls have said so.
int refused_arenas() {
    constexpr uid_t kNobody = 65534;
    const rlimit nothing{};
    if ((::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ||
        ::setrlimit(RLIMIT_MEMLOCK, &nothing) != 0) {
        return 1;
    }
    return init_secure_heap() || init_secure_heap() ? 2 : 0;
}

TEST(SecureHeapDeathTest, RefusedArenaStaysRefused) {
    testing::GTEST_FLAG(death_test_style) = "threadsafe"; // a process without our arena
    EXPECT_EXIT(std::_Exit(refused_arenas()), testing::ExitedWithCode(0), "");
}

constexpr std::size_t kHostsHeap = 64 * 1024;

/// In a host program that has a secure heap of its own: 0 when secrets are there, and nowhere else
/// when it is full.
int secrets_in_the_hosts_heap() {
    if (CRYPTO_secure_malloc_init(kHostsHeap, 16) != 1) {
        return 1;
    }
    if (const auto done = init_secure_heap(); !done) {
        return 2;
    }
    std::vector<SecretBytes> many;
    try {
        for (std::size_t octets = 0; octets <= kHostsHeap; octets += 1024) {
            many.emplace_back(std::size_t{1024});
            if (CRYPTO_secure_allocated(many.back().reveal().data()) != 1) {
                return 3;
            }
        }
    } catch (const std::bad_alloc&) {
        return many.empty() ? 4 : 0;
    }
    return 5;
}

/// The host has thrown the heap away: 0 when there is no secret any more, 3 when it is in plain
/// memory.
int secrets_without_the_hosts_heap() {
    if (CRYPTO_secure_malloc_init(kHostsHeap, 16) != 1 || !init_secure_heap() ||
        CRYPTO_secure_malloc_done() != 1) {
        return 1;
    }
    try {
        const SecretBytes secret(std::size_t{32});
        return 3;
    } catch (const std::bad_alloc&) {
        return 0;
    }
}

TEST(SecureHeapDeathTest, HeapOfTheHostProgramIsUsed) {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    EXPECT_EXIT(std::_Exit(secrets_in_the_hosts_heap()), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(std::_Exit(secrets_without_the_hosts_heap()), testing::ExitedWithCode(0), "");
}

TEST(Wipe, StringsAndBuffersUpToTheirCapacity) {
    std::string text = "a long secret that once stood here, longer than small strings";
    const char* place = text.data();
    text.resize(20); // the rest still stands behind the end
    wipe(text);
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(text.data(), place);
    for (std::size_t i = 0; i < 50; ++i) {
        EXPECT_EQ(place[i], 0);
    }
}

} // namespace
} // namespace mtkey
