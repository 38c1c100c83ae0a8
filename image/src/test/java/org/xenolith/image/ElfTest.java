package org.xenolith.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ElfTest {
  private static Elf parse(byte[] bytes) {
    return Elf.parse(MemorySegment.ofArray(bytes));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void headersOfBothWidthsAreRead(boolean wide) {
    byte[] text = Samples.mixed(500);
    ElfBuilder builder =
        new ElfBuilder(wide)
            .load(0x100000, 0x200000, 5, text, 0x3000)
            .note("GNU", 3, new byte[] {1, (byte) 0xab})
            .section(".rodata", 0x100010, new byte[] {7, 8});
    Elf elf = parse(builder.build());
    assertThat(elf.wide()).isEqualTo(wide);
    assertThat(elf.machine()).isEqualTo(Elf.MACHINE_X86_64);
    assertThat(elf.entry()).isEqualTo(0x100000);
    assertThat(elf.buildId()).contains("01ab");
    assertThat(elf.segments()).hasSize(1);
    Segment segment = elf.segments().getFirst();
    assertThat(segment.va()).isEqualTo(0x100000);
    assertThat(segment.pa()).isEqualTo(0x200000);
    assertThat(segment.memorySize()).isEqualTo(0x3000);
    assertThat(segment.permissions()).isEqualTo("r-x");
    assertThat(segment.data().toArray(JAVA_BYTE)).isEqualTo(text);
    assertThat(elf.section(".rodata").orElseThrow().data().toArray(JAVA_BYTE)).containsExactly(7, 8);
  }

  @Test
  void segmentIsAViewAndNotACopy() {
    byte[] bytes = Samples.guest().build();
    Segment segment = parse(bytes).segments().getFirst();
    bytes[(int) segment.offset()] = 99;
    assertThat(segment.data().get(JAVA_BYTE, 0)).isEqualTo((byte) 99);
    assertThat(segment.data().isReadOnly()).isTrue();
  }

  @Test
  void noteThatBothHeadersLeadToIsReadOnce() {
    byte[] bytes = Samples.guest().build();
    assertThat(parse(bytes).notes().stream().filter(n -> n.owner().equals("GNU"))).hasSize(1);
    Elf both = parse(Samples.guest().sectionNote("Linux", 256, ElfBuilder.text("salt")).build());
    assertThat(both.notes().stream().filter(n -> n.owner().equals("Linux")).toList())
        .singleElement()
        .satisfies(n -> assertThat(n.fromSegment()).isFalse())
        .satisfies(n -> assertThat(n.text()).isEqualTo("salt"));
  }

  @Test
  void everyTruncationIsRefused() {
    byte[] bytes = Samples.guest().build();
    for (int length = 4; length < bytes.length; length += 97) {
      byte[] cut = Arrays.copyOf(bytes, length);
      assertThatThrownBy(() -> parse(cut)).isInstanceOf(ImageException.class).hasMessageStartingWith("truncated: ");
    }
  }

  @Test
  void otherMachinesAndFileTypesAreNamed() {
    ElfBuilder arm = Samples.guest();
    arm.machine = 183;
    assertThatThrownBy(() -> parse(arm.build())).isInstanceOf(ImageException.class).hasMessageContaining("machine 183");
    ElfBuilder module = Samples.guest();
    module.type = 1;
    assertThatThrownBy(() -> parse(module.build())).isInstanceOf(ImageException.class).hasMessageContaining("modules");
    byte[] bare = new ElfBuilder(true).build();
    assertThatThrownBy(() -> parse(bare)).isInstanceOf(ImageException.class).hasMessageContaining("nothing to load");
  }

  @Test
  void segmentThatLeavesTheAddressSpaceIsRefusedButMayEndWithIt() {
    byte[] data = new byte[16];
    assertThat(parse(new ElfBuilder(true).load(-0x1000, 0, 4, data, 0x1000).build()).segments()).hasSize(1);
    assertThatThrownBy(() -> parse(new ElfBuilder(true).load(-0x1000, 0, 4, data, 0x1001).build())).isInstanceOf(ImageException.class);
    assertThatThrownBy(() -> parse(new ElfBuilder(true).load(0, -1, 4, data, 0x1000).build())).isInstanceOf(ImageException.class);
    assertThatThrownBy(() -> parse(new ElfBuilder(true).load(0, 0, 4, data, 15).build())).isInstanceOf(ImageException.class);
  }
}
