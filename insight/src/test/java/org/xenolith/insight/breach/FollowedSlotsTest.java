package org.xenolith.insight.breach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;

import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.NamedGuest;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Observer;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.rules.Rule;

/** A kernel walks its own page tables, takes a fault, and crashes of its own will, as one does that prints an oops and panics. */
class FollowedSlotsTest {
  private static final int SET_TRAP_TABLE = 0, SCHED_OP = 29, SHUTDOWN = 2, CRASH = 3, GENERAL_PROTECTION = 13;
  private static final int PAGE_TABLES = 88, XENS = 0x101, GUESTS = 0x110;

  @Test
  void aCrashBehindAReadOfXensSlotIsABrokenRule() {
    assertThat(walk(XENS)).hasValueSatisfying(e -> {
      assertThat(e.rule()).isEqualTo(Rule.XEN_SLOTS);
      assertThat(e.breach().message()).contains("reads L4 slot 0x101");
      assertThat(e.guilty()).startsWith("walker");
      assertThat(e.parts()).isNotEmpty();
    });
  }

  @Test
  void aCrashBehindAReadOfTheKernelsOwnSlotIsNot() {
    assertThat(walk(GUESTS)).isEmpty();
  }

  private static Optional<Explained> walk(int slot) {
    KernelImage image = guest(slot).image();
    PvMachine.Setup setup = new PvMachine.Setup(image, null, "", NamedGuest.MEMORY, 1, 0, true);
    Function<Observer, PvMachine> machines = o -> new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> {}, o);
    CodeNames names = new CodeNames(image);
    BreachWatch watch = new BreachWatch(names);
    try (PvMachine machine = machines.apply(watch)) {
      assertThat(machine.run(1_000_000).kind()).isEqualTo(RunOutcome.Kind.CRASH);
    }
    assertThat(watch.any()).isFalse();
    assertThat(watch.lastFaults()).hasSize(1);
    return FollowedSlots.of(watch, names, machines);
  }

  private static NamedGuest guest(int slot) {
    NamedGuest guest = new NamedGuest();
    Assembler a = guest.a;
    Label fault = a.newLabel();
    a.lea(Assembler.RCX, fault);
    guest.store(1, Assembler.RCX).put(0, GENERAL_PROTECTION | 0xe033L << 16).put(2, 0).put(3, 0).call(SET_TRAP_TABLE, NamedGuest.DATA);
    guest.function("walker");
    a.mov(Assembler.RBX, NamedGuest.DATA - 8).emit(Mnemonic.MOV, gpr(Assembler.RBX), mem(Assembler.RBX, 0));
    a.emit(Mnemonic.MOV, gpr(Assembler.RBX), mem(Assembler.RBX, PAGE_TABLES));
    a.emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RBX, 8 * slot));
    a.mov(Assembler.RAX, 0x1234L << 48).emit(Mnemonic.MOV, gpr(Assembler.RAX), mem(Assembler.RAX, 0));
    guest.function("fault");
    a.bind(fault);
    return guest.put(8, CRASH).call(SCHED_OP, SHUTDOWN, NamedGuest.DATA + 64);
  }
}
