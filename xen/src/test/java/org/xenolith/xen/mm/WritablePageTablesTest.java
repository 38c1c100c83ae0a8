package org.xenolith.xen.mm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.Fault;
import org.xenolith.xen.Domain;
import org.xenolith.xen.rules.Rule;

class WritablePageTablesTest {
  private static final int CODE = SmallDomain.FREE, TARGET = CODE + 1, DATA = CODE + 2;

  private final SmallDomain guest = new SmallDomain();
  private final Cpu cpu = guest.vcpu.cpu;

  /** Where the L1 entry of the page TARGET can be seen: in the read-only mapping of its table. */
  private final long entryVa = SmallDomain.va(SmallDomain.FIRST_L1) + 8 * TARGET;

  @BeforeEach
  void assist() {
    guest.domain.assists = Domain.ASSIST_WRITABLE_PAGETABLES;
  }

  @AfterEach
  void allReferencesAreAccountedFor() {
    assertThat(guest.miscounted()).isEmpty();
  }

  /** Runs one instruction, which faults, and lets Xen carry it out. */
  private Exit store(int... code) {
    for (int n = 0; n < code.length; n++) {
      guest.memory.writeByte((guest.p2m[CODE] << 12) + n, (byte) code[n]);
    }
    cpu.rip = SmallDomain.va(CODE);
    Exit exit = cpu.run(cpu.clock.now + 1);
    assertThat(exit).isInstanceOf(Exit.Exception.class);
    Exit.Exception fault = (Exit.Exception) exit;
    assertThat(fault.vector()).isEqualTo(Fault.PF);
    assertThat(fault.errorCode()).isEqualTo(Fault.PF_PRESENT | Fault.PF_WRITE | Fault.PF_USER);
    return guest.xen.mmu.writableTables().emulate(guest.vcpu, fault.address());
  }

  private long entry() {
    return guest.memory.readLong(guest.mappingPa(TARGET));
  }

  @Test
  void aStoredEntryIsCheckedAndAdjusted() {
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RAX] = Pte.of(guest.p2m[DATA], 0x61);
    assertThat(store(0x48, 0x89, 0x07)).isInstanceOf(Exit.Budget.class);
    assertThat(entry()).isEqualTo(Pte.of(guest.p2m[DATA], 0x65) | Pte.GUEST_KERNEL);
    assertThat(cpu.rip).isEqualTo(SmallDomain.va(CODE) + 3);
  }

  @Test
  void anExchangeGivesTheOldEntry() {
    long old = entry();
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RAX] = 0;
    assertThat(store(0x48, 0x87, 0x07)).isInstanceOf(Exit.Budget.class);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(old);
    assertThat(entry()).isZero();
  }

  @Test
  void oneBitCanBeClearedWithALock() {
    cpu.r[Cpu.RDI] = entryVa;
    // lock btr $1,(%rdi)
    assertThat(store(0xf0, 0x48, 0x0f, 0xba, 0x37, 0x01)).isInstanceOf(Exit.Budget.class);
    assertThat(entry() & Pte.WRITABLE).isZero();
    assertThat(cpu.rflags() & Cpu.CF).isEqualTo(Cpu.CF);
  }

  @Test
  void aByteOfAnEntryCanBeStored() {
    cpu.r[Cpu.RDI] = entryVa;
    // andb $~2,(%rdi)
    assertThat(store(0x80, 0x27, 0xfd)).isInstanceOf(Exit.Budget.class);
    assertThat(entry() & Pte.WRITABLE).isZero();
    assertThat(Pte.mfn(entry())).isEqualTo(guest.p2m[TARGET]);
  }

  @Test
  void compareAndExchangeFailsAsOnMemory() {
    long old = entry();
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RAX] = 1;
    // lock cmpxchg %rcx,(%rdi)
    assertThat(store(0xf0, 0x48, 0x0f, 0xb1, 0x0f)).isInstanceOf(Exit.Budget.class);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(old);
    assertThat(entry()).isEqualTo(old);
  }

  @Test
  void aRepeatedStoreIsDoneEntryByEntry() {
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RCX] = 2;
    cpu.r[Cpu.RAX] = 0;
    // rep stosq
    assertThat(store(0xf3, 0x48, 0xab)).isInstanceOf(Exit.Budget.class);
    assertThat(entry()).isZero();
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(1);
    assertThat(cpu.rip).isEqualTo(SmallDomain.va(CODE));
    assertThat(cpu.r[Cpu.RDI]).isEqualTo(entryVa + 8);
  }

  @Test
  void aForbiddenEntryIsTheGuestsFaultAndNothingHasHappened() {
    long old = entry();
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RAX] = Pte.of(guest.p2m[SmallDomain.ROOT], SmallDomain.PAGE);
    long wanted = cpu.r[Cpu.RAX];
    assertThat(store(0x48, 0x87, 0x07)).isNull();
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.WRITABLE_IS_EXCLUSIVE);
    assertThat(entry()).isEqualTo(old);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(wanted);
    assertThat(cpu.rip).isEqualTo(SmallDomain.va(CODE));
  }

  @Test
  void onlyAlignedStoresToL1TablesAreCarriedOut() {
    cpu.r[Cpu.RDI] = entryVa + 1;
    assertThat(store(0x48, 0x89, 0x07)).isNull();
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.TABLE_STORES);
    assertThat(guest.lastBreach().errno()).isZero();
    guest.breaches.clear();
    cpu.r[Cpu.RDI] = SmallDomain.va(SmallDomain.L2) + 8 * 400;
    assertThat(store(0x48, 0x89, 0x07)).isNull();
    assertThat(guest.lastBreach().rule()).isEqualTo(Rule.TABLE_STORES);
    assertThat(guest.lastBreach().message()).contains("type L2");
    guest.domain.assists = 0;
    cpu.r[Cpu.RDI] = entryVa;
    assertThat(store(0x48, 0x89, 0x07)).isNull();
  }

  @Test
  void aFaultOfTheInstructionsOtherOperandIsItsOwn() {
    cpu.r[Cpu.RDI] = entryVa;
    cpu.r[Cpu.RSI] = 0x1000;
    long old = entry();
    // movsq: the source faults only once the destination can be written.
    guest.memory.writeByte(guest.p2m[CODE] << 12, (byte) 0x48);
    guest.memory.writeByte((guest.p2m[CODE] << 12) + 1, (byte) 0xa5);
    cpu.rip = SmallDomain.va(CODE);
    Exit exit = guest.xen.mmu.writableTables().emulate(guest.vcpu, entryVa);
    assertThat(exit).isInstanceOf(Exit.Exception.class);
    assertThat(((Exit.Exception) exit).address()).isEqualTo(0x1000);
    assertThat(entry()).isEqualTo(old);
  }
}
