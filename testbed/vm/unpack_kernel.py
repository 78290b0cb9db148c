#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Unpack the ELF kernel inside a bzImage (xz, gzip, zstd, lz4 payloads are found by their magic).
import lzma, struct, sys, zlib
d = open(sys.argv[1], 'rb').read()
setup = (d[0x1f1] or 4) + 1
off, length = struct.unpack_from('<II', d, 0x248)
p = d[setup * 512 + off:][:length]
if p[:6] == b'\xfd7zXZ\0':
    out = lzma.LZMADecompressor().decompress(p)
elif p[:2] == b'\x1f\x8b':
    out = zlib.decompressobj(31).decompress(p)
else:
    sys.exit('unknown payload ' + p[:6].hex())
assert out[:4] == b'\x7fELF'
open(sys.argv[2], 'wb').write(out)
