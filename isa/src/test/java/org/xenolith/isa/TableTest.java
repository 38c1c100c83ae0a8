package org.xenolith.isa;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What must hold for {@code instructions.txt} as a whole. That no two rows claim one encoding is checked whenever the table is read. */
class TableTest {
  @Test
  void everyMnemonicHasARowAndEveryFeatureHasOne() {
    Set<Mnemonic> mnemonics = EnumSet.of(Mnemonic.INVALID, Mnemonic.TOO_LONG);
    Set<Feature> features = EnumSet.noneOf(Feature.class);
    for (Encoding row : Encoding.all()) {
      mnemonics.add(row.mnemonic);
      features.add(row.feature);
    }
    assertThat(mnemonics).containsExactlyInAnyOrder(Mnemonic.values());
    assertThat(features).containsExactlyInAnyOrder(Feature.values());
  }

  @Test
  void aRowsNumberIsItsPlace() {
    for (int i = 0; i < Encoding.all().size(); i++) {
      assertThat(Encoding.all().get(i).id).isEqualTo(i);
    }
  }

  @Test
  void noFlagIsGivenTwoFates() {
    for (Encoding row : Encoding.all()) {
      int[] fates = {row.flagsWritten, row.flagsCleared, row.flagsSet, row.flagsUndefined};
      int seen = 0;
      for (int fate : fates) {
        assertThat(seen & fate).as(row.toString()).isZero();
        seen |= fate;
      }
    }
  }

  @Test
  void anInstructionHasAtMostOneMemoryOperandAndFourOperands() {
    for (Encoding row : Encoding.all()) {
      assertThat(row.operands).as(row.toString()).hasSizeLessThanOrEqualTo(4);
      assertThat(row.operands.stream().filter(spec -> spec.memory).count()).as(row.toString()).isLessThanOrEqualTo(1);
    }
  }

  @Test
  void theTableCoversWhatItIsMeantTo() {
    assertThat(Encoding.all()).hasSizeGreaterThan(1900);
    assertThat(Encoding.of("MOVZX Gv,Eb").opcode).isEqualTo(0xb6);
    assertThat(Encoding.of("CMPXCHG16B Mdq").has(Encoding.LOCKABLE | Encoding.ALIGNED)).isTrue();
    assertThat(Encoding.of("MOVAPS Vps,Wps").has(Encoding.ALIGNED | Encoding.SSE_STATE)).isTrue();
    assertThat(Encoding.of("MOVUPS Vps,Wps").has(Encoding.ALIGNED)).isFalse();
    assertThat(Encoding.of("MOVSS Vss,Wss").has(Encoding.ALIGNED)).isFalse();
    assertThat(Encoding.of("ADC Ev,Gv").flagsRead).isEqualTo(Encoding.CF);
    assertThat(Encoding.of("AND Ev,Gv").flagsCleared).isEqualTo(Encoding.CF | Encoding.OF);
    assertThat(Encoding.of("AND Ev,Gv").flagsUndefined).isEqualTo(Encoding.AF);
  }
}
