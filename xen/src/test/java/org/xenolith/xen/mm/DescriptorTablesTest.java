package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.Errno;
import org.xenolith.xen.rules.Rule;

class DescriptorTablesTest {
  private static final int SET_GDT = 2, UPDATE_DESCRIPTOR = 10, SET_LDT = 13;
  private static final int A = SmallDomain.FREE, B = A + 1;
  private static final long KERNEL_CODE = 0x00af9b000000ffffL, USER_CODE = 0x00affb000000ffffL, TSS = 0x0000890000000067L;
  private static final long CALL_GATE = 0x00008c0000000000L;

  private final SmallDomain guest = new SmallDomain();

  @AfterEach
  void allReferencesAreAccountedFor() {
    assertThat(guest.miscounted()).isEmpty();
  }

  private long setGdt(int pfn, int entries) {
    return guest.call(SET_GDT, guest.arguments(guest.p2m[pfn]), entries);
  }

  @Test
  void aGdtIsCheckedAndMovedToRing3() {
    guest.entry(A, 2, KERNEL_CODE);
    guest.entry(A, 3, USER_CODE);
    guest.entry(A, 4, CALL_GATE | 0x10L << 16);
    assertThat(setGdt(A, 16)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.DESCRIPTORS);
    guest.protect(A);
    assertThat(setGdt(A, 16)).isZero();
    assertThat(guest.vcpu.gdtMfns[0]).isEqualTo(guest.p2m[A]);
    assertThat(guest.vcpu.gdtEntries).isEqualTo(16);
    assertThat(guest.readEntry(A, 2)).isEqualTo(USER_CODE);
    assertThat(guest.readEntry(A, 3)).isEqualTo(USER_CODE);
    assertThat(guest.readEntry(A, 4)).isEqualTo(CALL_GATE | 0x13L << 16);
    assertThat(guest.remap(A, Pte.of(guest.p2m[A], SmallDomain.PAGE))).isEqualTo(-Errno.EBUSY);
    assertThat(setGdt(A, 0)).isZero();
    assertThat(guest.remap(A, Pte.of(guest.p2m[A], SmallDomain.PAGE))).isZero();
  }

  @Test
  void systemDescriptorsAreRefused() {
    guest.entry(A, 511, TSS);
    guest.protect(A);
    assertThat(setGdt(A, 16)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.DESCRIPTORS);
    assertThat(guest.vcpu.gdtEntries).isZero();
  }

  @Test
  void xensPartOfTheGdtIsNotTheGuests() {
    assertThat(setGdt(A, 14 * 512 + 1)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.call(SET_GDT, 0x1000, 16)).isEqualTo(-Errno.EFAULT);
  }

  @Test
  void aDescriptorIsWrittenInATableOrAWritableFrame() {
    guest.protect(A);
    setGdt(A, 16);
    long pa = guest.p2m[A] << 12 | 5 << 3;
    assertThat(guest.call(UPDATE_DESCRIPTOR, pa, KERNEL_CODE)).isZero();
    assertThat(guest.readEntry(A, 5)).isEqualTo(USER_CODE);
    assertThat(guest.call(UPDATE_DESCRIPTOR, pa, TSS)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.call(UPDATE_DESCRIPTOR, pa + 4, USER_CODE)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.call(UPDATE_DESCRIPTOR, guest.p2m[B] << 12, USER_CODE)).isZero();
    assertThat(guest.call(UPDATE_DESCRIPTOR, guest.p2m[SmallDomain.L2] << 12, USER_CODE)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void anLdtTakesItsFramesWhenItIsUsed() {
    assertThat(guest.mmuext(SET_LDT, SmallDomain.va(A), 1024)).isZero();
    assertThat(guest.xen.mmu.descriptors().ldtFrame(guest.vcpu, 0)).isEqualTo(-1);
    guest.protect(A);
    assertThat(guest.xen.mmu.descriptors().ldtFrame(guest.vcpu, 0)).isEqualTo(guest.p2m[A]);
    assertThat(guest.frames.type(guest.p2m[A])).isEqualTo(FrameTable.SEGMENT_DESCRIPTORS);
    assertThat(guest.miscounted()).isEmpty();
    assertThat(guest.mmuext(SET_LDT, 0, 0)).isZero();
    assertThat(guest.frames.typeCount(guest.p2m[A])).isZero();
  }

  @Test
  void anLdtLiesOnAPageOfTheGuests() {
    assertThat(guest.mmuext(SET_LDT, SmallDomain.va(A) + 8, 1)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.mmuext(SET_LDT, SmallDomain.va(A), 8193)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.mmuext(SET_LDT, MachineToPhys.VIRT_START, 1)).isEqualTo(-Errno.EINVAL);
  }
}
