package org.xenolith.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever is in a file, reading it ends soon, in an image or in an {@link ImageException}. */
class HostileImageTest {
  private static final Duration SOON = Duration.ofSeconds(60);
  private static final int ROUNDS = 400;

  private static byte[] guestWithSymbols() {
    java.util.List<String> names = new java.util.ArrayList<>();
    long[] addresses = new long[600];
    for (int i = 0; i < addresses.length; i++) {
      names.add("Tdo_init" + i);
      addresses[i] = Samples.BASE + 8L * i;
    }
    long va = Samples.BASE + 0x8000;
    byte[] rodata = new KallsymsBuilder(KallsymsBuilder.Layout.PER_CPU_ABSOLUTE_LAST, va, names, addresses).build();
    return Samples.guest().load(va, 0x1010000, 4, rodata, rodata.length).section("__xen_guest", 0, ElfBuilder.text("A=1")).build();
  }

  /** Reads an image and asks everything of it. Returns whether it could be read at all. */
  private static boolean survives(byte[] bytes) {
    try {
      KernelImage image = Samples.read(bytes);
      ImageSummary summary = image.summary();
      Symbols symbols = image.symbols();
      for (int i = 0; i < symbols.size(); i += 100) {
        symbols.nearest(symbols.address(i));
        symbols.address(symbols.name(i));
      }
      return summary != null;
    } catch (ImageException e) {
      assertThat(e.getMessage()).doesNotContain("\n");
      return false;
    }
  }

  private static byte[] mutate(byte[] original, Random random, int from, int to) {
    byte[] bytes = original.clone();
    for (int count = 1 + random.nextInt(4); count > 0; count--) {
      int at = from + random.nextInt(to - from);
      bytes[at] =
          switch (random.nextInt(4)) {
            case 0 -> (byte) 0xff;
            case 1 -> (byte) 0x7f;
            case 2 -> 0;
            default -> (byte) random.nextInt();
          };
    }
    return random.nextInt(8) == 0 ? Arrays.copyOf(bytes, 1 + random.nextInt(bytes.length)) : bytes;
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void mutatedStreamsEndInNothingWorseThanARefusal(Compression compression) throws IOException {
    byte[] stream = CompressionTest.packed(compression);
    byte[] whole = Samples.bzImage(compression == Compression.GZIP ? stream : Samples.sized(stream, CompressionTest.CONTENT.length));
    Random random = new Random(compression.ordinal());
    int rounds = compression == Compression.BZIP2 ? ROUNDS / 4 : ROUNDS;
    Assertions.assertTimeout(
        SOON,
        () -> {
          for (int i = 0; i < rounds; i++) {
            // The head of a stream steers the decoder, so half of the mutations go there.
            int start = 2048 + 0x100;
            assertThat(survives(mutate(whole, random, start, i % 2 == 0 ? start + 200 : whole.length))).isFalse();
          }
        });
  }

  @Test
  void mutatedHeadersEndInNothingWorseThanARefusal() {
    byte[] guest = guestWithSymbols();
    assertThat(survives(guest)).isTrue();
    Random random = new Random(7);
    Assertions.assertTimeout(
        SOON,
        () -> {
          for (int i = 0; i < 4 * ROUNDS; i++) {
            survives(mutate(guest, random, 0, 64 + 4 * 56));
            survives(mutate(guest, random, guest.length - 8 * 64, guest.length));
            survives(mutate(guest, random, 0, guest.length));
          }
        });
  }

  @Test
  void mutatedSetupHeadersEndInNothingWorseThanARefusal() throws IOException {
    byte[] image = Samples.bzImage(KernelImageTest.gzip(Samples.guest().build()));
    Random random = new Random(8);
    for (int i = 0; i < 2 * ROUNDS; i++) {
      survives(mutate(image, random, 0x1f1, 0x260));
    }
  }

  @Test
  void thousandsOfHeadersForOneLargeNoteAreRefused() {
    // Each of 60,000 program headers leads to the same 4 MiB of notes.
    int count = 60_000;
    byte[] base = Samples.guest().build();
    byte[] bytes = Arrays.copyOf(base, 64 + count * 56 + (4 << 20));
    var view = java.nio.ByteBuffer.wrap(bytes).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    view.putLong(32, 64).putShort(56, (short) count).putLong(40, 0);
    int notesAt = 64 + count * 56;
    for (int i = 0; i < count; i++) {
      int at = 64 + i * 56;
      view.putInt(at, 4).putInt(at + 4, 4).putLong(at + 8, notesAt + 4L * i).putLong(at + 32, 3 << 20).putLong(at + 40, 3 << 20);
    }
    for (int at = notesAt; at < bytes.length - 12; at += 4) {
      view.putInt(at, (2 << 20) + 8);
    }
    Assertions.assertTimeout(SOON, () -> assertThat(survives(bytes)).isFalse());
  }

  @Test
  void dataMadeToLookLikeSymbolTablesDoNotHoldUpTheSearch() {
    // Every 512 bytes could be the token index whose table is before it.
    byte[] region = new byte[24 << 20];
    for (int at = 0; at + 512 <= region.length; at += 512) {
      for (int i = 0; i < 256; i++) {
        region[at + 2 * i] = (byte) i;
      }
    }
    byte[] image = new byte[region.length + 0x1000];
    byte[] head = new ElfBuilder(true).load(Samples.BASE, 0x1000000, 4, new byte[16], 16).build();
    System.arraycopy(head, 0, image, 0, 64 + 56);
    System.arraycopy(region, 0, image, 0x1000, region.length);
    var view = java.nio.ByteBuffer.wrap(image).order(java.nio.ByteOrder.LITTLE_ENDIAN);
    view.putLong(40, 0).putLong(64 + 8, 0x1000).putLong(64 + 32, region.length).putLong(64 + 40, region.length);
    Assertions.assertTimeout(SOON, () -> assertThat(Samples.read(image).symbols().size()).isZero());
  }

  @Test
  void claimedSizesCostNoMemoryThatTheStreamDoesNotFill() throws IOException {
    byte[] stream = CompressionTest.packed(Compression.XZ);
    byte[] image = Samples.bzImage(Samples.sized(stream, -1));
    assertThatThrownBy(() -> Samples.read(image)).isInstanceOf(ImageException.class).hasMessageContaining("is to hold 4294967295 bytes");
  }
}
