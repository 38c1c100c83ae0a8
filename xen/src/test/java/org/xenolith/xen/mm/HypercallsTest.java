package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.xen.Errno;
import org.xenolith.xen.rules.Rule;

/** mmu_update, update_va_mapping and mmuext_op as calls: arguments, counts, domains. */
class HypercallsTest {
  private static final int A = SmallDomain.FREE, B = A + 1;
  private static final int MMU_UPDATE = 1, MMUEXT_OP = 26;

  private final SmallDomain guest = new SmallDomain();

  @AfterEach
  void allReferencesAreAccountedFor() {
    assertThat(guest.miscounted()).isEmpty();
  }

  @Test
  void mmuUpdateStopsAtTheFirstRefusalAndSaysHowManyWereDone() {
    long requests =
        guest.arguments(
            guest.mappingPa(A), Pte.of(guest.p2m[A], SmallDomain.READ_ONLY),
            guest.mappingPa(B), Pte.of(guest.p2m[SmallDomain.ROOT], SmallDomain.PAGE),
            guest.mappingPa(A), 0);
    long done = SmallDomain.va(SmallDomain.ARGUMENTS) + 2048;
    assertThat(guest.call(MMU_UPDATE, requests, 3, done, SmallDomain.SELF)).isEqualTo(-Errno.EBUSY);
    assertThat(guest.argument(256)).isEqualTo(1);
    assertThat(guest.memory.readLong(guest.mappingPa(A)) & 0xfff).isEqualTo(0x65);
    assertThat(guest.lastBreach().message()).contains("request 1 of 3");
  }

  @Test
  void aContinuedCallAddsToTheCountThatIsThere() {
    long requests = guest.arguments(guest.mappingPa(A), 0);
    guest.memory.writeInt((guest.p2m[SmallDomain.ARGUMENTS] << 12) + 2048, 5);
    long done = SmallDomain.va(SmallDomain.ARGUMENTS) + 2048;
    assertThat(guest.call(MMU_UPDATE, requests, 1L | 1L << 31, done, SmallDomain.SELF)).isZero();
    assertThat(guest.argument(256)).isEqualTo(6);
    assertThat(guest.call(MMU_UPDATE, 0, 1L << 31, 0, -7)).isEqualTo(-7);
  }

  @Test
  void aLongBatchIsGivenBackToBeContinued() {
    for (int pfn = A; pfn < A + 64; pfn++) {
      guest.memory.fill(guest.p2m[pfn] << 12, 4096, (byte) 0);
      for (int n = 0; n < 256; n++) {
        guest.memory.writeLong((guest.p2m[pfn] << 12) + 16 * n, guest.p2m[A + 100] << 12);
      }
    }
    assertThat(guest.call(MMU_UPDATE, SmallDomain.va(A), 5000, 0, SmallDomain.SELF)).isZero();
    assertThat(guest.vcpu.rest).containsExactly(SmallDomain.va(A) + 16 * 4096, 5000L - 4096 | 1L << 31, 0, SmallDomain.SELF);
    long[] rest = guest.vcpu.rest;
    guest.vcpu.rest = null;
    assertThat(guest.call(MMU_UPDATE, rest)).isZero();
    assertThat(guest.vcpu.rest).isNull();
  }

  @Test
  void requestsThatCannotBeReadAreFaults() {
    assertThat(guest.call(MMU_UPDATE, 0x1000, 1, 0, SmallDomain.SELF)).isEqualTo(-Errno.EFAULT);
    assertThat(guest.call(MMU_UPDATE, 0xffff800000000000L, 1, 0, SmallDomain.SELF)).isEqualTo(-Errno.EFAULT);
    assertThat(guest.call(MMUEXT_OP, 0x1000, 1, 0, SmallDomain.SELF)).isEqualTo(-Errno.EFAULT);
  }

  @Test
  void otherDomainsAreOutOfReach() {
    long requests = guest.arguments(guest.mappingPa(A), 0);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, 7)).isEqualTo(-Errno.ESRCH);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, 1)).isEqualTo(-Errno.ESRCH);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, 0)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, 0x7ff2)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, SmallDomain.SELF | 1 << 16)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(MMU_UPDATE, requests, 1, 0, SmallDomain.SELF | 2 << 16)).isZero();
    assertThat(guest.call(MMUEXT_OP, guest.arguments(6, 0, 0), 1, 0, 0)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(22, SmallDomain.va(B), 0, 0, 0)).isEqualTo(-Errno.EPERM);
    assertThat(guest.call(22, SmallDomain.va(B), 0, 0, SmallDomain.SELF)).isZero();
  }

  @Test
  void aWritableFrameTakesAnyValueAndATableKeepsItsRules() {
    assertThat(guest.mmuUpdate(guest.p2m[A] << 12 | 8, 0x1234)).isZero();
    assertThat(guest.readEntry(A, 1)).isEqualTo(0x1234);
    assertThat(guest.mmuUpdate(guest.p2m[A] << 12 | 8 | 5, 0x1234)).isEqualTo(-Errno.ENOSYS);
    assertThat(guest.mmuUpdate(0xb8000, 0)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.OWN_FRAMES);
  }

  @Test
  void accessedAndDirtyBitsAreKeptOnDemand() {
    guest.memory.writeLong(guest.mappingPa(A), guest.memory.readLong(guest.mappingPa(A)) | Pte.DIRTY | Pte.ACCESSED);
    long clean = Pte.of(guest.p2m[A], 3);
    assertThat(guest.mmuUpdate(guest.mappingPa(A) | 2, clean)).isZero();
    assertThat(guest.memory.readLong(guest.mappingPa(A)) & 0xfff).isEqualTo(0x67);
    assertThat(guest.mmuUpdate(guest.mappingPa(A), clean)).isZero();
    assertThat(guest.memory.readLong(guest.mappingPa(A)) & 0xfff).isEqualTo(0x7);
  }

  @Test
  void theMachineToPhysicalTableIsSetForOwnFramesOnly() {
    assertThat(guest.mmuUpdate(guest.p2m[A] << 12 | 1, 0x77)).isZero();
    assertThat(guest.frames.pfn(guest.p2m[A])).isEqualTo(0x77);
    guest.vcpu.cpu.refresh();
    assertThat(guest.vcpu.cpu.mmu.read64(MachineToPhys.VIRT_START + guest.p2m[A] * 8)).isEqualTo(0x77);
    assertThat(guest.mmuUpdate(guest.xen.mmu.m2p().pageMfns()[0] << 12 | 1, 0)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void updateVaMappingNeedsAnL1TableForTheAddress() {
    assertThat(guest.call(14, 0x1000, 0, 0)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.VA_UPDATES);
    assertThat(guest.call(14, 0xffff800000000000L, 0, 0)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void updateVaMappingFlushesWhereItIsTold() {
    guest.vcpu.cpu.refresh();
    assertThat(guest.vcpu.cpu.mmu.read64(SmallDomain.va(A))).isZero();
    guest.memory.writeLong(guest.p2m[B] << 12, 42);
    assertThat(guest.call(14, SmallDomain.va(A), Pte.of(guest.p2m[B], SmallDomain.READ_ONLY), 2)).isZero();
    assertThat(guest.vcpu.cpu.mmu.read64(SmallDomain.va(A))).isEqualTo(42);
    assertThat(guest.call(14, SmallDomain.va(A), Pte.of(guest.p2m[A], SmallDomain.READ_ONLY), 1 | 4)).isZero();
    assertThat(guest.vcpu.cpu.mmu.read64(SmallDomain.va(A))).isZero();
    long mask = guest.arguments(1);
    assertThat(guest.call(14, SmallDomain.va(A), Pte.of(guest.p2m[B], SmallDomain.READ_ONLY), mask | 2)).isZero();
    assertThat(guest.vcpu.cpu.mmu.read64(SmallDomain.va(A))).isEqualTo(42);
    assertThat(guest.call(14, SmallDomain.va(A), 0, 0x5000 | 2)).isEqualTo(-Errno.EFAULT);
  }

  @Test
  void aPinIsNotCountedTwice() {
    guest.protect(A);
    assertThat(guest.unpin(A)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.pin(1, A)).isZero();
    assertThat(guest.pin(1, A)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.PINNED_ONCE);
    assertThat(guest.unpin(A)).isZero();
    assertThat(guest.unpin(A)).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void rootsAreHeldWhileTheyAreInUse() {
    guest.entry(A, SmallDomain.slot(4), guest.table(SmallDomain.L3));
    guest.protect(A, B);
    assertThat(guest.mmuext(15, guest.p2m[A], 0)).isZero();
    assertThat(guest.vcpu.userRootMfn).isEqualTo(guest.p2m[A]);
    assertThat(guest.frames.type(guest.p2m[A])).isEqualTo(FrameTable.L4);
    assertThat(guest.mmuext(15, guest.p2m[B], 0)).isZero();
    assertThat(guest.frames.typeCount(guest.p2m[A])).isZero();
    assertThat(guest.mmuext(15, 0, 0)).isZero();
    assertThat(guest.mmuext(5, guest.p2m[SmallDomain.L3], 0)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.mmuext(5, guest.p2m[SmallDomain.ROOT], 0)).isZero();
  }

  @Test
  void framesAreClearedAndCopiedUnlessTheyAreTables() {
    guest.entry(A, 17, 99);
    assertThat(guest.mmuext(17, guest.p2m[B], guest.p2m[A])).isZero();
    assertThat(guest.readEntry(B, 17)).isEqualTo(99);
    assertThat(guest.mmuext(16, guest.p2m[A], 0)).isZero();
    assertThat(guest.readEntry(A, 17)).isZero();
    assertThat(guest.mmuext(16, guest.p2m[SmallDomain.L2], 0)).isEqualTo(-Errno.EINVAL);
    assertThat(guest.mmuext(17, guest.p2m[SmallDomain.L2], guest.p2m[A])).isEqualTo(-Errno.EINVAL);
  }

  @Test
  void whatADomainWithoutDevicesMayNotDoIsAnsweredAsXenDoes() {
    assertThat(guest.mmuext(12, 0, 0)).isEqualTo(-Errno.EACCES);
    assertThat(guest.mmuext(18, 0, 0)).isEqualTo(-Errno.EACCES);
    assertThat(guest.mmuext(19, 0, 0)).isEqualTo(-Errno.EOPNOTSUPP);
    assertThat(guest.mmuext(14, 0, 0)).isEqualTo(-Errno.ENOSYS);
    assertThat(guest.mmuext(21, 0, 0)).isEqualTo(-Errno.ENOSYS);
  }

  @Test
  void tlbFlushesForVcpusNeedAReadableMask() {
    assertThat(guest.mmuext(8, 0, guest.arguments(1, 0, 0) + 64)).isZero();
    assertThat(guest.mmuext(8, 0, 0x1000)).isEqualTo(-Errno.EINVAL);
    for (int command : new int[] {6, 7, 10, 11}) {
      assertThat(guest.mmuext(command, SmallDomain.va(A), 0)).isZero();
    }
  }
}
