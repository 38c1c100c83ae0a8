package org.xenolith.insight.breach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.register;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;
import org.xenolith.insight.NamedGuest;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Observer;
import org.xenolith.xen.pv.PvMachine;
import org.xenolith.xen.rules.Rule;

/** A user program reads port 0x61. Xen refuses that in any case; what matters is whether its kernel meant to allow it. */
class NativePortsTest {
  private static final int SET_TRAP_TABLE = 0, STACK_SWITCH = 3, IRET = 23, MMUEXT_OP = 26, NEW_USER_BASEPTR = 15, GENERAL_PROTECTION = 13;
  private static final int SEGMENT = 0x184000, PORT = 0x61, SEGMENT_SIZE = 104, BITMAP_SIZE = 8192, NO_BITMAP = 0x4000 + 168;

  @Test
  void aPortOpenedInTheKernelsOwnSegmentIsABrokenRule() {
    List<Explained> broken = run(SEGMENT_SIZE, PORT);
    assertThat(broken).singleElement().satisfies(e -> {
      assertThat(e.rule()).isEqualTo(Rule.PORT_PERMISSION);
      assertThat(e.breach().message()).contains("in user mode, port 0x61").contains("PHYSDEVOP_set_iobitmap");
      assertThat(e.knownCase()).hasValueSatisfying(c -> assertThat(c.title()).contains("ioperm"));
    });
  }

  @Test
  void aPortThatIsClosedThereIsTheProgramsMistake() {
    assertThat(run(SEGMENT_SIZE, PORT + 1)).isEmpty();
  }

  @Test
  void aSegmentWithoutBitmapOpensNothing() {
    assertThat(run(NO_BITMAP, PORT)).isEmpty();
  }

  @Test
  void whereNoVariableHasANameTheSegmentIsFoundAndWhoOpenedThePortIsNamed() {
    NamedGuest guest = new NamedGuest();
    guest.function("native_tss_invalidate_io_bitmap");
    storeOffset(guest.a, NO_BITMAP);
    guest.function("native_tss_update_io_bitmap");
    storeOffset(guest.a, SEGMENT_SIZE);
    guest.function("exit_to_user_mode");
    // What lies behind the segment is zero: every port is open.
    assertThat(run(program(guest).powerOff())).singleElement().satisfies(e -> {
      assertThat(e.rule()).isEqualTo(Rule.PORT_PERMISSION);
      assertThat(e.guilty()).startsWith("native_tss_update_io_bitmap");
      assertThat(e.parts()).anySatisfy(p -> assertThat(p.title()).isEqualTo("Where the kernel opened it"));
    });
  }

  /** {@code movw $offset, %gs:SEGMENT+102}. */
  private static void storeOffset(Assembler a, int offset) {
    int at = SEGMENT + 102;
    a.raw(0x65, 0x66, 0xc7, 0x04, 0x25, at & 0xff, at >> 8 & 0xff, at >> 16, 0, offset & 0xff, offset >> 8);
  }

  /** Runs the program with a task state segment whose bitmap is at an offset and opens one port. */
  private static List<Explained> run(int bitmapOffset, int openPort) {
    return run(guest(bitmapOffset, openPort));
  }

  private static List<Explained> run(NamedGuest guest) {
    KernelImage image = guest.image();
    PvMachine.Setup setup = new PvMachine.Setup(image, null, "", NamedGuest.MEMORY, 1, 0, true);
    Function<Observer, PvMachine> machines = o -> new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> {}, o);
    CodeNames names = new CodeNames(image);
    BreachWatch watch = new BreachWatch(names);
    try (PvMachine machine = machines.apply(watch)) {
      assertThat(machine.run(1_000_000).kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    }
    return Explained.of(watch, names, machines);
  }

  private static NamedGuest guest(int bitmapOffset, int openPort) {
    NamedGuest guest = program(new NamedGuest());
    guest.powerOff().function("cpu_tss_rw");
    byte[] segment = new byte[SEGMENT_SIZE + BITMAP_SIZE];
    Arrays.fill(segment, SEGMENT_SIZE, segment.length, (byte) 0xff);
    segment[102] = (byte) bitmapOffset;
    segment[103] = (byte) (bitmapOffset >>> 8);
    segment[SEGMENT_SIZE + openPort / 8] &= (byte) ~(1 << openPort % 8);
    guest.a.raw(segment);
    return guest;
  }

  /** Goes to user mode, reads the port there, and comes back by the fault. */
  private static NamedGuest program(NamedGuest guest) {
    Assembler a = guest.a;
    Label fault = a.newLabel();
    Label user = a.newLabel();
    a.lea(Assembler.RCX, fault);
    guest.store(1, Assembler.RCX).put(0, GENERAL_PROTECTION | 0xe033L << 16).put(2, 0).put(3, 0).call(SET_TRAP_TABLE, NamedGuest.DATA);
    a.emit(Mnemonic.MOV, gpr(Assembler.RCX), register(OperandKind.CR, 3)).emit(Mnemonic.SHR, gpr(Assembler.RCX), imm(12));
    guest.store(11, Assembler.RCX).put(10, NEW_USER_BASEPTR).call(MMUEXT_OP, NamedGuest.DATA + 80, 1, 0, 0x7ff0);
    guest.call(STACK_SWITCH, 0xe02b, NamedGuest.STACK);
    for (long word : new long[] {0xe02b, NamedGuest.STACK, 0x202, 0xe033}) {
      a.mov(Assembler.RAX, word).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    }
    a.lea(Assembler.RAX, user).emit(Mnemonic.PUSH, gpr(Assembler.RAX));
    for (int word = 0; word < 4; word++) {
      a.emit(Mnemonic.PUSH, imm(0));
    }
    guest.call(IRET);
    guest.function("program");
    a.bind(user);
    a.raw(0xe4, PORT);
    guest.function("fault");
    a.bind(fault);
    return guest;
  }
}
