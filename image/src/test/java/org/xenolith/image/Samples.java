package org.xenolith.image;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Random;

/** Images and contents for the tests, the same at every run. */
final class Samples {
  /** Where {@link #guest} is loaded. */
  static final long BASE = 0xffffffff81000000L;

  private Samples() {}

  /**
   * Words, runs and noise in turns: a compressor finds literals, matches near and far, and what it must store. The streams among the test
   * resources are made of {@code mixed(200_000)}, by {@code zstd -22 --ultra}, {@code lzop -9} and {@code lz4 -l -9} reading a pipe.
   */
  static byte[] mixed(int size) {
    Random random = new Random(size);
    byte[] bytes = new byte[size];
    String[] words = {"xen_", "start_", "info", "page", "table", "vcpu", "\0\0\0\0", "event_channel", "grant", "x86_", "hypercall"};
    int at = 0;
    while (at < size) {
      int kind = random.nextInt(10);
      int length = Math.min(size - at, kind == 9 ? random.nextInt(300) : random.nextInt(40));
      for (int end = at + length; at < end; ) {
        if (kind < 7) {
          String word = words[random.nextInt(words.length)];
          for (int i = 0; i < word.length() && at < end; i++) {
            bytes[at++] = (byte) word.charAt(i);
          }
        } else {
          bytes[at++] = (byte) (kind == 7 ? random.nextInt() : kind);
        }
      }
    }
    return bytes;
  }

  /** A 64-bit PV guest with all that an inspection looks at. */
  static ElfBuilder guest() {
    byte[] text = mixed(20_000);
    byte[] banner = ElfBuilder.text("Linux version 6.1.0-test (somebody@somewhere) #1 SMP");
    System.arraycopy(banner, 0, text, 5_000, banner.length);
    ElfBuilder builder = new ElfBuilder(true);
    builder.entry = 0x1000000;
    return builder
        .load(BASE, 0x1000000, Segment.READ | Segment.EXECUTE, text, 0x6000)
        .load(BASE + 0x6000, 0x1006000, Segment.READ | Segment.WRITE, mixed(3_000), 0x4000)
        .pvNotes()
        .note("Xen", XenNotes.VIRT_BASE, ElfBuilder.number(0xffffffff80000000L, 8))
        .note("Xen", XenNotes.ENTRY, ElfBuilder.number(BASE + 0x10, 8))
        .note("Xen", XenNotes.FEATURES, "!writable_page_tables|pae_pgdir_above_4gb".getBytes())
        .note("Xen", XenNotes.SUPPORTED_FEATURES, ElfBuilder.number(0x8801, 4))
        .note("Xen", XenNotes.PHYS32_ENTRY, ElfBuilder.number(0x1000850, 4))
        .note("GNU", 3, new byte[] {(byte) 0xde, (byte) 0xad, (byte) 0xbe, (byte) 0xef})
        .section(".rodata", BASE, text)
        .section(".BTF", BASE + 0x100, mixed(100));
  }

  /** A bzImage around a payload that has the size of its output at its end already. */
  static byte[] bzImage(byte[] payload) {
    ByteBuffer out = ElfBuilder.buffer(2048 + 0x100 + payload.length);
    out.put(0x1f1, (byte) 3);
    out.putShort(0x1fe, (short) 0xaa55).putInt(0x202, 0x53726448).putShort(0x206, (short) 0x20f);
    out.putShort(0x20e, (short) 0x100).putShort(0x236, (short) 1);
    out.put(0x300, ElfBuilder.text("6.1.0-head (somebody) #1"));
    out.putInt(0x248, 0x100).putInt(0x24c, payload.length);
    out.put(2048 + 0x100, payload);
    return out.array();
  }

  /** A stream with the size of its output behind it, as Linux's build makes it. */
  static byte[] sized(byte[] stream, int size) {
    return ElfBuilder.buffer(stream.length + 4).put(stream).putInt(size).array();
  }

  static KernelImage read(byte[] bytes) {
    return KernelImage.read("sample", MemorySegment.ofArray(bytes));
  }
}
