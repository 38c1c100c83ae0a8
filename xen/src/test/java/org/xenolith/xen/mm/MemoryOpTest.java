package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.Errno;

class MemoryOpTest {
  private static final int MEMORY_OP = 12;
  private static final int INCREASE = 0, DECREASE = 1, MAXIMUM_RAM_PAGE = 2, CURRENT = 3, MAXIMUM = 4, MFN_LIST = 5, POPULATE = 6;
  private static final int MEMORY_MAP = 9, EXCHANGE = 11, MACHPHYS_MAPPING = 12;
  private static final int A = SmallDomain.FREE;
  private static final int LIST = 64;

  private final SmallDomain guest = new SmallDomain();

  @AfterEach
  void allReferencesAreAccountedFor() {
    assertThat(guest.miscounted()).isEmpty();
  }

  /** Makes a struct xen_memory_reservation with its list behind it. */
  private long reservation(long order, long... extents) {
    long va = guest.arguments(SmallDomain.va(SmallDomain.ARGUMENTS) + 8 * LIST, extents.length, order, SmallDomain.SELF);
    for (int n = 0; n < extents.length; n++) {
      guest.memory.writeLong((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 8L * (LIST + n), extents[n]);
    }
    return va;
  }

  @Test
  void aFrameGivenBackIsFreeWhenNothingMapsItAnyMore() {
    long mfn = guest.p2m[A];
    assertThat(guest.call(MEMORY_OP, DECREASE, reservation(0, mfn))).isEqualTo(1);
    assertThat(guest.frames.owner(mfn)).isEqualTo(guest.domain.id);
    assertThat(guest.remap(A, 0)).isZero();
    assertThat(guest.frames.owner(mfn)).isEqualTo(FrameTable.NOBODY);
    assertThat(guest.frames.pfn(mfn)).isEqualTo(FrameTable.INVALID_PFN);
    assertThat(guest.call(MEMORY_OP, CURRENT, guest.arguments(SmallDomain.SELF))).isEqualTo(SmallDomain.PAGES - 1);
    assertThat(guest.call(MEMORY_OP, DECREASE, reservation(0, mfn))).isZero();
  }

  @Test
  void populatedFramesAreNamedToTheGuestAndBackwards() {
    assertThat(guest.call(MEMORY_OP, POPULATE, reservation(0, 0x5000, 0x5001))).isEqualTo(2);
    long mfn = guest.argument(LIST + 1);
    assertThat(guest.frames.owner(mfn)).isEqualTo(guest.domain.id);
    assertThat(guest.frames.pfn(mfn)).isEqualTo(0x5001);
    assertThat(guest.remap(A, Pte.of(mfn, SmallDomain.PAGE))).isZero();
  }

  @Test
  void aDomainGetsNoMoreThanItsMaximum() {
    assertThat(guest.call(MEMORY_OP, POPULATE, reservation(6, 0x5000, 0x6000))).isEqualTo(1);
    assertThat(guest.call(MEMORY_OP, INCREASE, reservation(0, 0))).isZero();
    assertThat(guest.call(MEMORY_OP, MAXIMUM, guest.arguments(SmallDomain.SELF))).isEqualTo(SmallDomain.PAGES + 64);
  }

  @Test
  void anExtentThatIsTooLargeOrForAnotherDomainIsNotDone() {
    assertThat(guest.call(MEMORY_OP, INCREASE, reservation(10, 0))).isZero();
    guest.arguments(0, 1, 0, 0);
    assertThat(guest.call(MEMORY_OP, INCREASE, SmallDomain.va(SmallDomain.ARGUMENTS))).isZero();
    assertThat(guest.call(MEMORY_OP, INCREASE | 5 << 6, reservation(0, 1))).isEqualTo(5);
  }

  @Test
  void singleFramesAreExchangedForARun() {
    long list = SmallDomain.va(SmallDomain.ARGUMENTS) + 8 * LIST;
    for (int n = 0; n < 4; n++) {
      guest.remap(A + n, 0);
      guest.memory.writeLong((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 8L * (LIST + n), guest.p2m[A + n]);
    }
    guest.memory.writeLong((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 8L * (LIST + 4), A);
    long va = guest.arguments(list, 4, 0, SmallDomain.SELF, list + 32, 1, 2, SmallDomain.SELF, 0);
    assertThat(guest.call(MEMORY_OP, EXCHANGE, va)).isZero();
    long mfn = guest.argument(LIST + 4);
    assertThat(mfn % 4).isZero();
    assertThat(guest.frames.pfn(mfn + 3)).isEqualTo(A + 3);
    assertThat(guest.argument(8)).isEqualTo(4);
    assertThat(guest.domain.totalPages).isEqualTo(SmallDomain.PAGES);
    assertThat(guest.frames.owner(guest.p2m[A])).isEqualTo(FrameTable.NOBODY);
  }

  @Test
  void aMappedFrameCannotBeExchanged() {
    long list = SmallDomain.va(SmallDomain.ARGUMENTS) + 8 * LIST;
    guest.memory.writeLong((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 8L * LIST, guest.p2m[A]);
    long va = guest.arguments(list, 1, 0, SmallDomain.SELF, list + 8, 1, 0, SmallDomain.SELF, 0);
    assertThat(guest.call(MEMORY_OP, EXCHANGE, va)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.argument(8)).isZero();
    guest.memory.writeLong(guest.p2m[SmallDomain.ARGUMENTS] << 12 | 8, 2);
    assertThat(guest.call(MEMORY_OP, EXCHANGE, va)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void extentsThatWrapRoundGiveNothingInExchange() {
    long list = SmallDomain.va(SmallDomain.ARGUMENTS) + 8 * LIST;
    guest.memory.writeLong((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 8L * LIST, Long.MAX_VALUE - 1);
    long va = guest.arguments(list, 1, 2, SmallDomain.SELF, list + 8, 4, 0, SmallDomain.SELF, 0);
    assertThat(guest.call(MEMORY_OP, EXCHANGE, va)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.domain.totalPages).isEqualTo(SmallDomain.PAGES);
  }

  @Test
  void theMachineToPhysicalTableIsWhereXenHasIt() {
    long va = SmallDomain.va(SmallDomain.ARGUMENTS);
    assertThat(guest.call(MEMORY_OP, MACHPHYS_MAPPING, va)).isZero();
    assertThat(guest.argument(0)).isEqualTo(0xffff800000000000L);
    assertThat(guest.argument(1)).isEqualTo(0xffff804000000000L);
    assertThat(guest.argument(2)).isEqualTo(0x7_ffff_ffffL);
    guest.arguments(4, va + 8 * LIST, 0);
    assertThat(guest.call(MEMORY_OP, MFN_LIST, va)).isZero();
    assertThat(guest.argument(2)).isEqualTo(1);
    assertThat(guest.argument(LIST)).isEqualTo(guest.xen.mmu.m2p().pageMfns()[0]);
    assertThat(guest.call(MEMORY_OP, MAXIMUM_RAM_PAGE, 0)).isEqualTo(guest.memory.frames());
  }

  @Test
  void theMemoryMapIsWhatTheBuilderSet() {
    guest.domain.memoryMap = MemoryOp.oneRegion(0x40_0000);
    long va = guest.arguments(9, SmallDomain.va(SmallDomain.ARGUMENTS) + 8 * LIST);
    assertThat(guest.call(MEMORY_OP, MEMORY_MAP, va)).isZero();
    assertThat(guest.argument(0) & 0xffff_ffffL).isEqualTo(1);
    assertThat(guest.argument(LIST + 1)).isEqualTo(0x40_0000);
    assertThat(guest.argument(LIST + 2) & 0xffff_ffffL).isEqualTo(1);
  }

  @Test
  void whatAPvDomainDoesNotHaveIsAnsweredAsXenDoes() {
    long va = guest.arguments(SmallDomain.SELF, 0, 0, 0, 0, 0);
    assertThat(guest.call(MEMORY_OP, 7, va)).isEqualTo(-Errno.EACCES);
    assertThat(guest.call(MEMORY_OP, 15, va)).isEqualTo(-Errno.EACCES);
    assertThat(guest.call(MEMORY_OP, 23, va)).isEqualTo(-Errno.EACCES);
    assertThat(guest.call(MEMORY_OP, 10, va)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(MEMORY_OP, 8, va)).isEqualTo(-Errno.ENOSYS);
    assertThat(guest.call(MEMORY_OP, 25, va)).isEqualTo(-Errno.EOPNOTSUPP);
    assertThat(guest.call(MEMORY_OP, 26, va)).isEqualTo(-Errno.EOPNOTSUPP);
    assertThat(guest.call(MEMORY_OP, 28, guest.arguments(SmallDomain.SELF, 0, 0, 0))).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(MEMORY_OP, 40, va)).isEqualTo(-Errno.ENOSYS);
  }
}
