package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Mmu;
import org.xenolith.xen.Errno;
import org.xenolith.xen.rules.Rule;

class PageTableRulesTest {
  private static final int A = SmallDomain.FREE, B = A + 1, C = A + 2, D = A + 3;

  private final SmallDomain guest = new SmallDomain();

  @AfterEach
  void allReferencesAreAccountedFor() {
    assertThat(guest.miscounted()).isEmpty();
  }

  private void refused(long result, int errno, Rule rule) {
    assertThat(result).isEqualTo(-errno);
    assertThat(guest.lastBreach().rule()).isEqualTo(rule);
    assertThat(guest.lastBreach().errno()).isEqualTo(-errno);
  }

  @Test
  void aFrameThatIsMappedWritableCannotBecomeAPageTable() {
    refused(guest.pin(1, A), Errno.EINVAL, Rule.ONE_USE);
    guest.protect(A);
    assertThat(guest.pin(1, A)).isZero();
  }

  @Test
  void aPageTableCannotBeMappedWritable() {
    guest.protect(A);
    guest.pin(1, A);
    refused(guest.remap(A, Pte.of(guest.p2m[A], SmallDomain.PAGE)), Errno.EBUSY, Rule.WRITABLE_IS_EXCLUSIVE);
    assertThat(guest.lastBreach().mfn()).isEqualTo(guest.p2m[A]);
    guest.unpin(A);
    assertThat(guest.remap(A, Pte.of(guest.p2m[A], SmallDomain.PAGE))).isZero();
  }

  @Test
  void aTableWithOneBadEntryIsRefusedWholeAndNothingStaysHeld() {
    guest.entry(A, 3, Pte.of(guest.p2m[B], SmallDomain.PAGE));
    guest.entry(A, 9, Pte.of(guest.p2m[SmallDomain.ROOT], SmallDomain.PAGE));
    guest.protect(A);
    refused(guest.pin(1, A), Errno.EBUSY, Rule.WRITABLE_IS_EXCLUSIVE);
    assertThat(guest.lastBreach().message()).contains("slot 0x9 of mfn 0x%x".formatted(guest.p2m[A]));
    assertThat(guest.frames.type(guest.p2m[A])).isEqualTo(FrameTable.NONE);
  }

  @Test
  void aFrameHasNoMoreReferencesThanItsCountCanHold() {
    int before = guest.frames.count(guest.p2m[A]);
    guest.frames.setCount(guest.p2m[A], FrameTable.MAX_COUNT);
    refused(guest.remap(B, Pte.of(guest.p2m[A], SmallDomain.READ_ONLY)), Errno.EBUSY, Rule.COUNT_LIMIT);
    guest.frames.setCount(guest.p2m[A], before);
  }

  @Test
  void cachingAttributesAndLargePagesAreRefused() {
    long page = Pte.of(guest.p2m[A], SmallDomain.PAGE);
    refused(guest.remap(A, page | Pte.WRITE_THROUGH), Errno.EINVAL, Rule.ENTRY_FLAGS);
    refused(guest.remap(A, page | Pte.CACHE_DISABLE), Errno.EINVAL, Rule.ENTRY_FLAGS);
    refused(guest.remap(A, page | Pte.LARGE), Errno.EINVAL, Rule.ENTRY_FLAGS);
    int slot = SmallDomain.slot(2) + 100;
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.L2, slot), page | Pte.LARGE), Errno.EINVAL, Rule.SMALL_PAGES);
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.L2, slot), page | Pte.GLOBAL), Errno.EINVAL, Rule.ENTRY_FLAGS);
  }

  @Test
  void onlyTheDomainsOwnRamCanBeMapped() {
    refused(guest.remap(A, Pte.of(guest.xen.mmu.m2p().pageMfns()[0], SmallDomain.READ_ONLY)), Errno.EBUSY, Rule.OWN_FRAMES);
    refused(guest.remap(A, Pte.of(0xb8, SmallDomain.READ_ONLY)), Errno.EPERM, Rule.NO_IO_MEMORY);
    refused(guest.remap(A, Pte.of(0xfee00, SmallDomain.READ_ONLY)), Errno.EPERM, Rule.NO_IO_MEMORY);
    refused(guest.remap(A, Pte.of(-1L, SmallDomain.READ_ONLY)), Errno.EINVAL, Rule.NO_IO_MEMORY);
  }

  @Test
  void anEntryOfAHigherTableTakesATableOfTheNextLower() {
    guest.protect(A, B);
    guest.pin(2, A);
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.L2, 400), guest.table(A)), Errno.EINVAL, Rule.LINEAR_TABLES);
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.ROOT, 10), guest.table(A)), Errno.EINVAL, Rule.NEXT_LEVEL);
    assertThat(guest.mmuUpdate(guest.entryPa(SmallDomain.L2, 400), guest.table(B))).isZero();
    assertThat(guest.frames.type(guest.p2m[B])).isEqualTo(FrameTable.L1);
    assertThat(guest.mmuUpdate(guest.entryPa(SmallDomain.L2, 400), 0)).isZero();
    assertThat(guest.frames.typeCount(guest.p2m[B])).isZero();
  }

  @Test
  void xensSlotsOfARootAreNotTheGuests() {
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.ROOT, 256), guest.table(SmallDomain.L3)), Errno.EINVAL, Rule.XEN_SLOTS);
    refused(guest.mmuUpdate(guest.entryPa(SmallDomain.ROOT, 271), 0), Errno.EINVAL, Rule.XEN_SLOTS);
    assertThat(guest.mmuUpdate(guest.entryPa(SmallDomain.ROOT, 272), guest.table(SmallDomain.L3))).isZero();
  }

  @Test
  void entriesAreKeptWithTheFlagsThatXenAdds() {
    guest.entry(A, 0, Pte.of(guest.p2m[B], 0x1));
    guest.entry(A, 1, Pte.of(guest.p2m[B], 0x5));
    guest.entry(A, 2, Pte.of(guest.p2m[B], 0x5) | Pte.GUEST_KERNEL);
    guest.entry(C, 0, Pte.of(guest.p2m[A], 0x3));
    guest.entry(D, 0, Pte.of(guest.p2m[C], 0x3));
    guest.protect(A, C, D);
    assertThat(guest.pin(3, D)).isZero();
    assertThat(guest.readEntry(A, 0)).isEqualTo(Pte.of(guest.p2m[B], 0x5) | Pte.GUEST_KERNEL);
    assertThat(guest.readEntry(A, 1)).isEqualTo(Pte.of(guest.p2m[B], 0x105));
    assertThat(guest.readEntry(A, 2)).isEqualTo(Pte.of(guest.p2m[B], 0x5) | Pte.GUEST_KERNEL);
    assertThat(guest.readEntry(C, 0)).isEqualTo(Pte.of(guest.p2m[A], 0x7));
    assertThat(guest.readEntry(SmallDomain.ROOT, SmallDomain.slot(4)) & 0xfff).isEqualTo(0x67);
  }

  @Test
  void flagsThatNeedNoCheckChangeWithoutOne() {
    guest.entry(A, 0, Pte.of(guest.p2m[B], 0x1));
    guest.protect(A);
    guest.pin(1, A);
    int before = guest.frames.count(guest.p2m[B]);
    assertThat(guest.mmuUpdate(guest.entryPa(A, 0), Pte.of(guest.p2m[B], 0x61) | Pte.NO_EXECUTE)).isZero();
    assertThat(guest.frames.count(guest.p2m[B])).isEqualTo(before);
    assertThat(guest.readEntry(A, 0)).isEqualTo(Pte.of(guest.p2m[B], 0x65) | Pte.NO_EXECUTE | Pte.GUEST_KERNEL);
  }

  @Test
  void aFreshWritableMappingIsForgottenByTheTlbBeforeItsFrameBecomesATable() {
    guest.vcpu.cpu.refresh();
    guest.vcpu.cpu.mmu.write64(SmallDomain.va(A), 0);
    // Without a flush by the guest.
    assertThat(guest.call(14, SmallDomain.va(A), Pte.of(guest.p2m[A], SmallDomain.READ_ONLY), 0)).isZero();
    assertThat(guest.pin(1, A)).isZero();
    assertThat(guest.vcpu.cpu.mmu.translate(SmallDomain.va(A), Mmu.WRITE)).isEqualTo(-1);
    assertThatThrownBy(() -> guest.vcpu.cpu.mmu.write64(SmallDomain.va(A), 1)).isNotNull();
    assertThat(guest.readEntry(A, 0)).isZero();
  }

  @Test
  void tablesMayMapTheirOwnLevelReadOnlyButNotInAChain() {
    guest.protect(A, B, C);
    guest.pin(4, A);
    guest.pin(4, B);
    guest.pin(4, C);
    long readOnlyB = Pte.of(guest.p2m[B], 0x61);
    refused(guest.mmuUpdate(guest.entryPa(A, 5), readOnlyB | Pte.WRITABLE), Errno.EINVAL, Rule.LINEAR_TABLES);
    assertThat(guest.mmuUpdate(guest.entryPa(A, 5), readOnlyB)).isZero();
    assertThat(guest.mmuUpdate(guest.entryPa(A, 6), Pte.of(guest.p2m[A], 0x61))).isZero();
    refused(guest.mmuUpdate(guest.entryPa(B, 5), Pte.of(guest.p2m[C], 0x61)), Errno.EINVAL, Rule.LINEAR_TABLES);
    refused(guest.mmuUpdate(guest.entryPa(C, 5), Pte.of(guest.p2m[A], 0x61)), Errno.EINVAL, Rule.LINEAR_TABLES);
    assertThat(guest.miscounted()).isEmpty();
    assertThat(guest.unpin(A)).isZero();
    assertThat(guest.mmuUpdate(guest.entryPa(B, 5), Pte.of(guest.p2m[C], 0x61))).isZero();
  }

  @Test
  void aRootThatMapsItselfCanBePinnedAndGivenUp() {
    guest.entry(A, 7, Pte.of(guest.p2m[A], 0x61));
    guest.protect(A);
    assertThat(guest.pin(4, A)).isZero();
    assertThat(guest.miscounted()).isEmpty();
    assertThat(guest.unpin(A)).isZero();
    assertThat(guest.frames.typeCount(guest.p2m[A])).isZero();
  }

  @Test
  void xensSlotsAreThereAndOfNoUseToTheGuest() {
    guest.vcpu.cpu.rip = 0xffff_8200_0000_0000L;
    Exit.Exception exit = (Exit.Exception) guest.vcpu.cpu.run(guest.vcpu.cpu.clock.now + 1);
    assertThat(exit.vector()).isEqualTo(14);
    assertThat(guest.readEntry(SmallDomain.ROOT, 260) & (Pte.PRESENT | Pte.USER)).isEqualTo(Pte.PRESENT);
    // Through the linear page table: the L1 entry of pfn A.
    long linear = 0xffff_8100_0000_0000L | SmallDomain.va(A) >>> 9 & 0x7f_ffff_fff8L;
    guest.vcpu.cpu.r[7] = linear;
    guest.memory.writeInt(guest.p2m[B] << 12, 0x078b48);
    guest.vcpu.cpu.rip = SmallDomain.va(B);
    exit = (Exit.Exception) guest.vcpu.cpu.run(guest.vcpu.cpu.clock.now + 1);
    assertThat(exit.address()).isEqualTo(linear);
    assertThat(exit.errorCode()).isEqualTo(5);
  }

  @Test
  void aNewRootShowsTheMachineToPhysicalTableOnceItIsInUse() {
    guest.entry(A, 256, -1);
    guest.entry(A, 260, -1);
    guest.entry(A, SmallDomain.slot(4), guest.table(SmallDomain.L3));
    guest.protect(A);
    assertThat(guest.pin(4, A)).isZero();
    assertThat(guest.readEntry(A, 256)).isZero();
    assertThat(guest.readEntry(A, 260) & (Pte.PRESENT | Pte.USER)).isEqualTo(Pte.PRESENT);
    assertThat(guest.readEntry(A, 258)).isEqualTo(Pte.of(guest.p2m[A], 0x63) | Pte.NO_EXECUTE);
    assertThat(guest.mmuext(5, guest.p2m[A], 0)).isZero();
    assertThat(guest.vcpu.cpu.cr3).isEqualTo(guest.p2m[A] << 12);
    long va = MachineToPhys.VIRT_START + guest.p2m[B] * 8;
    assertThat(guest.vcpu.cpu.mmu.translate(va, Mmu.WRITE)).isEqualTo(-1);
    guest.vcpu.cpu.refresh();
    assertThat(guest.vcpu.cpu.mmu.read64(va)).isEqualTo(B);
  }
}
