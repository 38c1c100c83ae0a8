package org.xenolith.image;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Lays kallsyms out as the versions of Linux's {@code scripts/kallsyms.c} did. */
final class KallsymsBuilder {
  enum Layout {
    /** Until 4.5: 8-byte addresses and markers, addresses first. */
    ABSOLUTE,
    /** 4.6 to 6.3 with per-CPU symbols absolute, addresses first. */
    PER_CPU_ABSOLUTE_FIRST,
    /** As before, with a table of name order between markers and tokens (6.2, and 6.1.y). */
    NAME_ORDER_BETWEEN,
    /** 6.4 to 6.14: addresses last. */
    PER_CPU_ABSOLUTE_LAST,
    /** 6.15 and later: unsigned offsets from the base. */
    BASE_RELATIVE,
    /** 7.0 and later: relative to their own place, everything at multiples of 4. */
    PLACE_RELATIVE
  }

  private static final String[] LONG_TOKENS = {"init", "_start", "xen_", "Tx86_", "hyper", "dT", "do_"};

  private final Layout layout;
  private final long va;
  private final List<String> names;
  private final long[] addresses;
  private final ByteBuffer out = ElfBuilder.buffer(1 << 20);

  /**
   * @param va where the built bytes are in memory
   * @param names type letter and name of each
   */
  KallsymsBuilder(Layout layout, long va, List<String> names, long[] addresses) {
    this.layout = layout;
    this.va = va;
    this.names = names;
    this.addresses = addresses;
  }

  byte[] build() {
    // Other data before it, with zeros and small numbers that begin nothing.
    out.put(Samples.mixed(5_000)).put(new byte[600]);
    for (int i = 0; i < 300; i++) {
      out.putShort((short) i);
    }
    boolean last = layout.compareTo(Layout.PER_CPU_ABSOLUTE_LAST) >= 0;
    if (!last) {
      putAddresses();
    }
    align();
    out.putInt(names.size());
    align();
    List<Integer> markers = new ArrayList<>();
    int start = out.position();
    for (int i = 0; i < names.size(); i++) {
      if (i % 256 == 0) {
        markers.add(out.position() - start);
      }
      putName(names.get(i));
    }
    align();
    for (int marker : markers) {
      if (layout == Layout.ABSOLUTE) {
        out.putLong(marker);
      } else {
        out.putInt(marker);
      }
    }
    if (layout == Layout.NAME_ORDER_BETWEEN) {
      align();
      for (int i = 0; i < names.size(); i++) {
        out.putInt(names.size() - i);
      }
    }
    putTokens();
    if (last) {
      putAddresses();
    }
    out.put(Samples.mixed(2_000));
    return ElfBuilder.used(out);
  }

  private void align() {
    int step = layout == Layout.PLACE_RELATIVE ? 4 : 8;
    out.position(out.position() + step - 1 & -step);
  }

  private static String token(int code) {
    return code >= 128 && code < 128 + LONG_TOKENS.length ? LONG_TOKENS[code - 128] : String.valueOf((char) (code == 0 ? 1 : code));
  }

  private void putName(String name) {
    ByteBuffer codes = ElfBuilder.buffer(1024);
    for (int at = 0; at < name.length(); ) {
      int code = name.charAt(at);
      for (int i = 0; i < LONG_TOKENS.length; i++) {
        code = name.startsWith(LONG_TOKENS[i], at) ? 128 + i : code;
      }
      codes.put((byte) code);
      at += token(code).length();
    }
    int length = codes.position();
    if (length > 0x7f) {
      out.put((byte) (length & 0x7f | 0x80)).put((byte) (length >> 7));
    } else {
      out.put((byte) length);
    }
    out.put(ElfBuilder.used(codes));
  }

  private void putTokens() {
    align();
    int start = out.position();
    int[] index = new int[256];
    for (int i = 0; i < 256; i++) {
      index[i] = out.position() - start;
      out.put((token(i) + "\0").getBytes(StandardCharsets.ISO_8859_1));
    }
    align();
    for (int offset : index) {
      out.putShort((short) offset);
    }
  }

  private void putAddresses() {
    align();
    long base = layout == Layout.BASE_RELATIVE ? addresses[0] : Samples.BASE;
    for (long address : addresses) {
      switch (layout) {
        case ABSOLUTE -> out.putLong(address);
        case BASE_RELATIVE -> out.putInt((int) (address - base));
        case PLACE_RELATIVE -> out.putInt((int) (address - (va + out.position())));
        default -> out.putInt((int) (address >= 0 ? address : base - 1 - address));
      }
    }
    if (layout != Layout.ABSOLUTE && layout != Layout.PLACE_RELATIVE) {
      align();
      out.putLong(base);
    }
  }
}
