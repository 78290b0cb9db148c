#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reference maths of GBA (TS 33.220, TS 35.206, RFC 3310), apart from every line of C++ in this repository.

Source: the program that computed tests/vectors/worked_example.json, written from the published texts with nothing
but Python's standard library, and checked against TS 35.208, TS 55.205 and the published ImsStack vector.
Run   python3 gba_ref.py check      -> verifies tests/vectors/milenage_vectors.json
"""
import base64, hashlib, hmac, json, sys, os, unicodedata

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "vectors")

# ---------------------------------------------------------------- AES-128 (encrypt only)
def _make_sbox():
    p = q = 1
    sb = [0] * 256
    while True:
        p = p ^ ((p << 1) & 0xFF) ^ (0x1B if p & 0x80 else 0)
        q ^= (q << 1) & 0xFF
        q ^= (q << 2) & 0xFF
        q ^= (q << 4) & 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q ^ (((q << 1) | (q >> 7)) & 0xFF) ^ (((q << 2) | (q >> 6)) & 0xFF) \
            ^ (((q << 3) | (q >> 5)) & 0xFF) ^ (((q << 4) | (q >> 4)) & 0xFF)
        sb[p] = x ^ 0x63
        if p == 1:
            break
    sb[0] = 0x63
    return sb

SBOX = _make_sbox()

def _xt(b):
    return ((b << 1) ^ (0x1B if b & 0x80 else 0)) & 0xFF

def aes128(key, block):
    assert len(key) == 16 and len(block) == 16
    w = [list(key[i:i + 4]) for i in range(0, 16, 4)]
    rc = 1
    for i in range(4, 44):
        t = list(w[i - 1])
        if i % 4 == 0:
            t = [SBOX[x] for x in t[1:] + t[:1]]
            t[0] ^= rc
            rc = _xt(rc)
        w.append([a ^ b for a, b in zip(w[i - 4], t)])
    rk = [sum(w[4 * r:4 * r + 4], []) for r in range(11)]
    s = [a ^ b for a, b in zip(block, rk[0])]
    for r in range(1, 11):
        s = [SBOX[x] for x in s]
        s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]          # ShiftRows, column-major
        if r != 10:
            n = []
            for c in range(4):
                a = s[4 * c:4 * c + 4]
                for k in range(4):
                    n.append(_xt(a[k]) ^ _xt(a[(k + 1) % 4]) ^ a[(k + 1) % 4]
                             ^ a[(k + 2) % 4] ^ a[(k + 3) % 4])
            s = n
        s = [a ^ b for a, b in zip(s, rk[r])]
    return bytes(s)

# ---------------------------------------------------------------- Milenage (TS 35.206)
def xor(a, b):
    assert len(a) == len(b)
    return bytes(x ^ y for x, y in zip(a, b))

def rotl(b, bits):
    n = bits // 8
    return b[n:] + b[:n]

def opc_from_op(k, op):
    return xor(aes128(k, op), op)

class Milenage:
    def __init__(self, k, opc):
        self.k, self.opc = k, opc
    def _out(self, rand, rot, cbyte):
        t = aes128(self.k, xor(rand, self.opc))
        x = rotl(xor(t, self.opc), rot)
        x = x[:15] + bytes([x[15] ^ cbyte])
        return xor(aes128(self.k, x), self.opc)
    def _out1(self, rand, sqn, amf):
        t = aes128(self.k, xor(rand, self.opc))
        in1 = sqn + amf + sqn + amf
        x = xor(rotl(xor(in1, self.opc), 64), t)                    # r1 = 64, c1 = 0
        return xor(aes128(self.k, x), self.opc)
    def f1(self, rand, sqn, amf):  return self._out1(rand, sqn, amf)[:8]
    def f1s(self, rand, sqn, amf): return self._out1(rand, sqn, amf)[8:]
    def f2(self, rand):  return self._out(rand, 0, 1)[8:]           # r2 = 0,  c2 = ..01
    def f5(self, rand):  return self._out(rand, 0, 1)[:6]
    def f3(self, rand):  return self._out(rand, 32, 2)              # r3 = 32, c3 = ..02
    def f4(self, rand):  return self._out(rand, 64, 4)              # r4 = 64, c4 = ..04
    def f5s(self, rand): return self._out(rand, 96, 8)[:6]          # r5 = 96, c5 = ..08
    def autn(self, rand, sqn, amf):
        return xor(sqn, self.f5(rand)) + amf + self.f1(rand, sqn, amf)
    def auts(self, rand, sqn_ms):                                   # AMF* = 0000 for resync
        return xor(sqn_ms, self.f5s(rand)) + self.f1s(rand, sqn_ms, b"\0\0")

def c3_kc(ck, ik):                                                  # TS 33.102 6.8.1.2
    return xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:]))

def c2_sres(res):                                                   # 64-bit XRES padded to 128
    r = res + bytes(16 - len(res))
    return xor(xor(r[0:4], r[4:8]), xor(r[8:12], r[12:16]))

# ---------------------------------------------------------------- KDF (TS 33.220 Annex B)
def u8(s):
    return s if isinstance(s, (bytes, bytearray)) else unicodedata.normalize("NFKC", s).encode("utf-8")

def kdf_s(fc, *params):
    out = bytes(fc) if isinstance(fc, (bytes, bytearray)) else bytes([fc])
    for p in params:
        p = u8(p)
        assert len(p) <= 0xFFFF
        out += p + len(p).to_bytes(2, "big")
    return out

def kdf(key, fc, *params):
    return hmac.new(key, kdf_s(fc, *params), hashlib.sha256).digest()

def naf_id(fqdn, ua_proto):
    assert len(ua_proto) == 5
    return u8(fqdn) + ua_proto

def ks_ext_naf(ks, rand, impi, nafid): return kdf(ks, 0x01, b"gba-me", rand, impi, nafid)
ks_naf = ks_ext_naf                                                  # identical derivation
def ks_int_naf(ks, rand, impi, nafid): return kdf(ks, 0x01, b"gba-u", rand, impi, nafid)

def b64(b): return base64.b64encode(b).decode()

def btid(rand, bsf): return b64(rand) + "@" + bsf

def tmpi(ks, rand, impi, bsf):
    k = kdf(ks, 0x01, b"gba-me", rand, impi, u8(bsf) + bytes.fromhex("0100000100"))
    return b64(k[:24]) + "@tmpi.bsf.3gppnetwork.org"

# ---------------------------------------------------------------- GBA_U: MAC modification (TS 33.220 5.3.2)
def gba_u_autn(autn, ik):
    """BSF side: AUTN* = SQN xor AK || AMF || (MAC xor Trunc64(SHA-1(IK)))"""
    return autn[:8] + xor(autn[8:], hashlib.sha1(ik).digest()[:8])

# ---------------------------------------------------------------- Digest AKAv1-MD5 (RFC 3310 / 2617)
def H(x): return hashlib.md5(u8(x)).hexdigest()

def digest(username, realm, password, method, uri, nonce, nc=None, cnonce=None, qop=None, body=b"", rsp=False):
    """password: bytes (RES for AKAv1-MD5, b'' together with auts).
    rsp=True computes rspauth (A2 without the method)."""
    a1 = H(u8(username) + b":" + u8(realm) + b":" + password)
    m = b"" if rsp else u8(method)
    a2 = m + b":" + u8(uri)
    if qop == "auth-int":
        a2 += b":" + hashlib.md5(body).hexdigest().encode()
    if qop:
        return H(f"{a1}:{nonce}:{nc}:{cnonce}:{qop}:{H(a2)}")
    return H(f"{a1}:{nonce}:{H(a2)}")

# ---------------------------------------------------------------- identities (TS 23.003)
def impi_from_imsi(imsi, mnc_len):
    mcc, mnc = imsi[:3], imsi[3:3 + mnc_len].zfill(3)
    return f"{imsi}@ims.mnc{mnc}.mcc{mcc}.3gppnetwork.org"

def bsf_from_imsi(imsi, mnc_len):
    mcc, mnc = imsi[:3], imsi[3:3 + mnc_len].zfill(3)
    return f"bsf.mnc{mnc}.mcc{mcc}.pub.3gppnetwork.org"

# ---------------------------------------------------------------- 2G GBA (TS 33.220 Annex I)
def gba2g(kc, sres, rand, ks_input):
    key = kc + kc + rand
    res = kdf(key, 0x01, b"3gpp-gba-res", sres)[:16]
    ks = kdf(key, 0x01, ks_input, b"3gpp-gba-ks", sres)
    return res, ks

def hx(b): return b.hex()

def check():
    v = json.load(open(os.path.join(VECTORS, "milenage_vectors.json")))
    bad = 0
    for t in v["umts"]:
        b = {k: bytes.fromhex(x) for k, x in t.items() if k not in ("id", "source")}
        m = Milenage(b["k"], b["opc"])
        got = dict(opc=opc_from_op(b["k"], b["op"]), f1=m.f1(b["rand"], b["sqn"], b["amf"]),
                   f1star=m.f1s(b["rand"], b["sqn"], b["amf"]), f2=m.f2(b["rand"]), f3=m.f3(b["rand"]),
                   f4=m.f4(b["rand"]), f5=m.f5(b["rand"]), f5star=m.f5s(b["rand"]))
        for k, x in got.items():
            if x != b[k]:
                bad += 1
                print("MISMATCH", t["id"], k, hx(x), t[k])
    for t in v["gsm"]:
        b = {k: bytes.fromhex(x) for k, x in t.items() if k not in ("id", "source")}
        m = Milenage(b["ki"], b["opc"])
        res, ck, ik = m.f2(b["rand"]), m.f3(b["rand"]), m.f4(b["rand"])
        got = dict(sres1=c2_sres(res), sres2=res[:4], kc=c3_kc(ck, ik))
        for k, x in got.items():
            if x != b[k]:
                bad += 1
                print("MISMATCH", t["id"], k, hx(x), t[k])
    print(f"# {len(v['umts'])} UMTS sets, {len(v['gsm'])} GSM sets, {bad} mismatches")
    return bad

if __name__ == "__main__":
    sys.exit(1 if check() else 0)
