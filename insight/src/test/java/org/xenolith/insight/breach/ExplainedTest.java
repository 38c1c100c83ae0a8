package org.xenolith.insight.breach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.register;

import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.NamedGuest;
import org.xenolith.insight.RunReport;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Observer;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.rules.Rule;

/**
 * Guests that ask Xen to map their own top-level page table writable, which would let them change it unseen. Xen refuses; they ask from
 * functions with names, and those are what a kernel developer wants to read.
 */
class ExplainedTest {
  private static final long SPARE_PAGE = 0x181000;
  private static final int UPDATE_VA_MAPPING = 14, MULTICALL = 13, MMUEXT_OP = 26;

  private static Function<Observer, PvMachine> machines(KernelImage image) {
    PvMachine.Setup setup = new PvMachine.Setup(image, null, "", NamedGuest.MEMORY, 1, 0, true);
    return observer -> new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> {}, observer);
  }

  private static List<Explained> run(KernelImage image, BreachWatch watch, CodeNames names) {
    try (PvMachine machine = machines(image).apply(watch)) {
      assertThat(machine.run(1_000_000).kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    }
    return Explained.of(watch, names, machines(image));
  }

  private static String text(Explained e, String title) {
    return e.parts().stream().filter(p -> p.title().equals(title)).map(p -> String.join("\n", p.lines())).findFirst().orElse("");
  }

  /** Leaves an entry for the root in rsi: present, writable, user, accessed and dirty. */
  private static void entryForRoot(NamedGuest guest) {
    guest.a.emit(Mnemonic.MOV, gpr(Assembler.RSI), register(OperandKind.CR, 3)).emit(Mnemonic.OR, gpr(Assembler.RSI), imm(0x67));
  }

  @Test
  void aTableMappedWritableIsExplainedFromRuleToHistory() {
    NamedGuest guest = new NamedGuest();
    Label guilty = guest.a.newLabel();
    guest.a.call(guilty);
    guest.powerOff().function("map_root_writable");
    guest.a.bind(guilty);
    entryForRoot(guest);
    guest.a.mov(Assembler.RDI, SPARE_PAGE).mov(Assembler.RDX, 0).mov(Assembler.RAX, UPDATE_VA_MAPPING);
    guest.a.emit(Mnemonic.SYSCALL).emit(Mnemonic.RET);

    KernelImage image = guest.image();
    CodeNames names = new CodeNames(image);
    BreachWatch watch = new BreachWatch(names);
    List<Explained> explained = run(image, watch, names);

    assertThat(explained).hasSize(1);
    Explained e = explained.getFirst();
    assertThat(e.rule()).isEqualTo(Rule.WRITABLE_IS_EXCLUSIVE);
    assertThat(e.guilty()).startsWith("map_root_writable+0x");
    assertThat(text(e, "Where it was issued")).contains("map_root_writable+0x").contains("start+0x");
    assertThat(text(e, "What happened"))
        .contains("update_va_mapping(0x181000, ")
        .contains("slot 0x181 of L1 table")
        .contains("va 0x0000000000181000 to 0x0000000000181fff")
        .contains("P RW US A D")
        .contains("-16 (-EBUSY)");
    assertThat(text(e, "What a real Xen prints"))
        .contains("Bad type (saw 8c00000000000002 != exp e000000000000000)")
        .contains("8c00000000000002: an L4 table, pinned, validated, used 2 times")
        .contains("Could not get page type PGT_writable_page")
        .contains("A release build prints nothing.");
    assertThat(text(e, "The frame's history")).contains("at the start: mfn").contains("type L4");
    assertThat(text(e, "The frame then")).contains("named by slot 0x10c of L1 table").contains("since the start");

    RunReport.Refusal refusal = watch.refusals().getFirst();
    assertThat(refusal.rule()).isEqualTo("R5");
    assertThat(refusal.function()).startsWith("map_root_writable+0x");
    assertThat(refusal.errno()).isEqualTo(-16);
  }

  @Test
  void aCallOfAListIsExplainedFromWhereItWasQueued() {
    NamedGuest guest = new NamedGuest();
    Label queue = guest.a.newLabel();
    guest.a.call(queue);
    guest.call(MULTICALL, NamedGuest.DATA, 2).powerOff().function("queue_it");
    guest.a.bind(queue);
    // The first entry asks for the version, the second maps the root.
    guest.put(0, 17).put(2, 0).put(8, UPDATE_VA_MAPPING).put(10, SPARE_PAGE).put(12, 0);
    entryForRoot(guest);
    guest.store(11, Assembler.RSI);
    guest.a.emit(Mnemonic.RET);

    KernelImage image = guest.image();
    CodeNames names = new CodeNames(image);
    List<Explained> explained = run(image, new BreachWatch(names), names);

    assertThat(explained).hasSize(1);
    Explained e = explained.getFirst();
    assertThat(e.guilty()).startsWith("queue_it+0x");
    assertThat(text(e, "What happened")).contains("entry 1 of 2 of a multicall");
    assertThat(text(e, "Where it was queued")).contains("queue_it+0x").contains("start+0x");
    assertThat(text(e, "Where the list was issued")).contains("start+0x").doesNotContain("queue_it");
  }

  @Test
  void theHistoryOfAFrameNamesWhoUsedItAndWhen() {
    NamedGuest guest = new NamedGuest();
    Label again = guest.a.newLabel();
    Label pin = guest.a.newLabel();
    Label protect = guest.a.newLabel();
    // A spare page is mapped read-only, pinned as an L1 table, and pinned again.
    guest.a.call(protect).call(pin).call(again);
    guest.powerOff().function("protect");
    guest.a.bind(protect);
    spareFrame(guest);
    guest.a.emit(Mnemonic.OR, gpr(Assembler.RSI), imm(0x61)).mov(Assembler.RDI, SPARE_PAGE).mov(Assembler.RDX, 2);
    guest.a.mov(Assembler.RAX, UPDATE_VA_MAPPING).emit(Mnemonic.SYSCALL).emit(Mnemonic.RET);
    guest.function("pin_it");
    guest.a.bind(pin);
    pin(guest);
    guest.function("pin_it_again");
    guest.a.bind(again);
    pin(guest);

    KernelImage image = guest.image();
    CodeNames names = new CodeNames(image);
    List<Explained> explained = run(image, new BreachWatch(names), names);

    assertThat(explained).hasSize(1);
    Explained e = explained.getFirst();
    assertThat(e.rule()).isEqualTo(Rule.PINNED_ONCE);
    assertThat(e.guilty()).startsWith("pin_it_again+0x");
    assertThat(text(e, "What happened")).contains("MMUEXT_PIN_L1_TABLE");
    assertThat(text(e, "The frame's history"))
        .containsSubsequence(
            "is in use as writable no more", "by protect+0x", "comes into use: an L1 table", "by pin_it+0x", "is pinned", "by pin_it+0x");
    assertThat(text(e, "What a real Xen prints")).contains("already pinned");
  }

  @Test
  void manySwitchesToARootFromOnePlaceAreOneEvent() {
    NamedGuest guest = new NamedGuest();
    Label switchUserRoot = guest.a.newLabel();
    Label again = guest.a.newLabel();
    guest.a.mov(Assembler.R12, 300).bind(again).call(switchUserRoot);
    guest.a.emit(Mnemonic.DEC, gpr(Assembler.R12)).jcc(5, again);
    entryForRoot(guest);
    guest.a.mov(Assembler.RDI, SPARE_PAGE).mov(Assembler.RDX, 0).mov(Assembler.RAX, UPDATE_VA_MAPPING).emit(Mnemonic.SYSCALL);
    guest.powerOff().function("switch_user_root");
    // NEW_USER_BASEPTR with the kernel's root, then with none.
    guest.a.bind(switchUserRoot);
    guest.put(0, 15);
    guest.a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3)).emit(Mnemonic.SHR, gpr(Assembler.RCX), imm(12));
    guest.store(1, Assembler.RCX).call(MMUEXT_OP, NamedGuest.DATA, 1, 0, 0x7ff0);
    guest.put(1, 0).call(MMUEXT_OP, NamedGuest.DATA, 1, 0, 0x7ff0);
    guest.a.emit(Mnemonic.RET);

    KernelImage image = guest.image();
    CodeNames names = new CodeNames(image);
    Explained e = run(image, new BreachWatch(names), names).getFirst();
    assertThat(e.rule()).isEqualTo(Rule.WRITABLE_IS_EXCLUSIVE);
    String history = text(e, "The frame's history");
    assertThat(history)
        .contains("becomes a vcpu's root, 300 times until count")
        .contains("is a vcpu's root no more, 300 times until count")
        .doesNotContain("left out");
    assertThat(history.lines().filter(line -> line.contains("a vcpu's root"))).hasSize(2);
  }

  /** Leaves the frame of the spare page, as an entry without flags, in rsi: from the p2m list. */
  private static void spareFrame(NamedGuest guest) {
    // The builder puts the p2m list behind the kernel; start_info, whose address the guest got in rsi, says where: offset 104.
    guest.a.mov(Assembler.RBX, NamedGuest.DATA - 8).emit(Mnemonic.MOV, gpr(Assembler.RSI), org.xenolith.isa.Operand.mem(Assembler.RBX, 0));
    guest.a.emit(Mnemonic.MOV, gpr(Assembler.RSI), org.xenolith.isa.Operand.mem(Assembler.RSI, 104));
    guest.a.emit(Mnemonic.MOV, gpr(Assembler.RSI), org.xenolith.isa.Operand.mem(Assembler.RSI, (int) (SPARE_PAGE >>> 12) * 8));
    guest.a.emit(Mnemonic.SHL, gpr(Assembler.RSI), imm(12));
  }

  private static void pin(NamedGuest guest) {
    spareFrame(guest);
    guest.a.emit(Mnemonic.SHR, gpr(Assembler.RSI), imm(12));
    guest.store(1, Assembler.RSI).put(0, 0);
    guest.call(26, NamedGuest.DATA, 1, 0, 0x7ff0);
    guest.a.emit(Mnemonic.RET);
  }
}
