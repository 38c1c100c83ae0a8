package org.xenolith.machine.pc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.xenolith.image.ImageException;
import org.xenolith.image.KernelImage;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.Operand;
import org.xenolith.machine.RunOutcome;
import org.xenolith.machine.Scheduler;

@Timeout(30)
class PcMachineTest {
  private static KernelImage image(byte[] elf) {
    return KernelImage.read("pc guest", MemorySegment.ofArray(elf));
  }

  private static String text(PcGuest guest, long pa, int length) {
    byte[] bytes = new byte[length];
    guest.machine().memory().read(pa, bytes, 0, length);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  // ---- Start and end ----

  @Test
  void aKernelIsStartedAsTheBootProtocolSays() {
    try (PcGuest guest = new PcGuest()) {
      guest.a.emit(Mnemonic.MOV, Operand.gpr(Assembler.RAX), Operand.gpr(Assembler.RSI));
      guest.keep(0).print("up").powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.printed()).isEqualTo("up");
      long parameters = guest.word(0);
      var memory = guest.machine().memory();
      assertThat(memory.readInt(parameters + 0x202)).isEqualTo(0x5372_6448);
      assertThat(text(guest, memory.readInt(parameters + 0x228), 5)).isEqualTo("hello");
      assertThat(memory.readInt(parameters + 0x21c)).isEqualTo(6);
      assertThat(text(guest, memory.readInt(parameters + 0x218), 6)).isEqualTo("module");
      assertThat(text(guest, memory.readLong(parameters + 0x70), 8)).isEqualTo("RSD PTR ");
      assertThat(memory.readByte(parameters + 0x1e8)).isEqualTo((byte) 5);
      assertThat(memory.readLong(parameters + 0x2d0 + 60)).isEqualTo(0x10_0000);
      assertThat(memory.readLong(parameters + 0x2d0 + 68)).isEqualTo(PcGuest.MEMORY - 0x10_0000);
    }
  }

  @Test
  void aMultibootKernelIsStartedInProtectedMode() {
    try (PcGuest guest = new PcGuest()) {
      // mov [180000h], eax; mov [180004h], ebx; xor eax, eax; out 0f4h, eax; hlt
      byte[] elf = PcGuest.multiboot(3, 0xa3, 0, 0, 0x18, 0, 0x89, 0x1d, 4, 0, 0x18, 0, 0x31, 0xc0, 0xe7, 0xf4, 0xf4);
      RunOutcome outcome = guest.run(image(elf), 10_000);
      assertThat(outcome.reason()).contains("debug exit with 0");
      assertThat((int) guest.word(0)).isEqualTo(0x2bad_b002);
      long information = guest.word(0) >>> 32;
      var memory = guest.machine().memory();
      assertThat(memory.readInt(information)).isEqualTo(0x24d);
      assertThat(text(guest, memory.readInt(information + 16), 15)).isEqualTo("pc guest hello\0");
      int module = memory.readInt(information + 24);
      assertThat(text(guest, memory.readInt(module), 6)).isEqualTo("module");
      assertThat(memory.readInt(module + 4) - memory.readInt(module)).isEqualTo(6);
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (PcGuest guest = new PcGuest()) {
      assertThatThrownBy(() -> guest.run(image(PcGuest.multiboot(4)), 1)).isInstanceOf(ImageException.class).hasMessageContaining("0x4");
      byte[] elf = PcGuest.elf64(new byte[16]);
      // The program header's physical address and size in memory.
      elf[64 + 24 + 3] = 1;
      assertThatThrownBy(() -> guest.run(image(elf), 1)).isInstanceOf(ImageException.class).hasMessageContaining("segment at 0x1100000");
    }
  }

  @Test
  void aFailingTestKernelNamesItsNumber() {
    try (PcGuest guest = new PcGuest()) {
      guest.out(0xf4, 4, 7);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.CRASH);
      assertThat(outcome.reason()).contains("7");
    }
  }

  @Test
  void testKernelsDriveInterruptLinesAndHaveMemoryOnTheBus() {
    try (PcGuest guest = new PcGuest()) {
      guest.a.mov(Assembler.RBX, 0xff00_0010L).mov(Assembler.RAX, 0x1122_3344_5566_7788L);
      // mov [rbx], rax; mov rax, [rbx + 2]
      guest.raw(0x48, 0x89, 0x03).raw(0x48, 0x8b, 0x43, 0x02).keep(0);
      // What the 8259 has been asked for, before and after.
      guest.out(0x20, 1, 0x0a).in(0x20).keep(1);
      guest.out(0x2005, 4, 1).in(0x20).keep(2);
      guest.out(0x2005, 4, 0).out(0xe0, 4, 0x1234).in(0xe1).keep(3).powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.word(0)).isEqualTo(0x1122_3344_5566L);
      assertThat(guest.word(1) & 0x20).isZero();
      assertThat(guest.word(2) & 0x20).isEqualTo(0x20);
      assertThat(guest.word(3)).isEqualTo(0x12);
    }
  }

  @Test
  void aTripleFaultIsACrashUnlessTheGuestAskedForIt() {
    try (PcGuest guest = new PcGuest()) {
      guest.raw(0x0f, 0x0b);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.CRASH);
      assertThat(outcome.reason()).contains("triple fault on processor 0");
    }
    try (PcGuest guest = new PcGuest()) {
      // lidt of a table of limit 0; int3
      guest.a.mov(Assembler.RBX, PcGuest.DATA).raw(0x0f, 0x01, 0x1b).raw(0xcc);
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.REBOOT);
    }
  }

  @Test
  void aHaltWithInterruptsOffIsADeadlock() {
    try (PcGuest guest = new PcGuest()) {
      guest.raw(0xf4);
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.DEADLOCK);
    }
  }

  @Test
  void aPanicThatIsPrintedIsACrash() {
    try (PcGuest guest = new PcGuest()) {
      guest.print("[    1.0] Kernel panic - not syncing: no init\r\n---[ end Kernel panic - not syncing: no init ]---\r\n").raw(0xeb, 0xfe);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.CRASH);
      assertThat(outcome.reason()).isEqualTo("the kernel panicked: no init");
    }
  }

  @Test
  void aResetAfterAPanicIsACrash() {
    try (PcGuest guest = new PcGuest()) {
      guest.print("Kernel panic - not syncing: x\n").out(0xcf9, 1, 6).raw(0xeb, 0xfe);
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.CRASH);
    }
  }

  // ---- Time and interrupts ----

  /** Makes an interrupt descriptor table with one gate, for vector 40h, and enables interrupts of the local APIC. */
  private static void handle(PcGuest guest, Label handler) {
    Assembler a = guest.a;
    long gate = PcGuest.DATA + 0x1000 + 16 * 0x40;
    // Offset, selector 10h, an interrupt gate.
    a.lea(Assembler.RAX, handler).mov(Assembler.RBX, gate);
    a.raw(0x66, 0x89, 0x03).raw(0xc7, 0x43, 0x02, 0x10, 0, 0, 0x8e).raw(0xc1, 0xe8, 0x10).raw(0x66, 0x89, 0x43, 0x06);
    a.mov(Assembler.RBX, PcGuest.DATA + 0x800).raw(0x66, 0xc7, 0x03, 0xff, 0x0f).mov(Assembler.RAX, PcGuest.DATA + 0x1000);
    a.raw(0x48, 0x89, 0x43, 0x02).raw(0x0f, 0x01, 0x1b);
    guest.apic(0xf0, 0x1ff);
  }

  @Test
  void aHaltedProcessorSkipsToItsTimer() {
    try (PcGuest guest = new PcGuest()) {
      Label handler = guest.a.newLabel();
      handle(guest, handler);
      guest.apic(0x3e0, 0xb).apic(0x320, 0x40).apic(0x380, 1_000_000_000);
      guest.raw(0x0f, 0x31, 0x89, 0xc6).raw(0xfb, 0xf4).print("woken").powerOff();
      guest.a.bind(handler);
      // rdtsc; sub eax, esi
      guest.raw(0x0f, 0x31, 0x29, 0xf0).keep(0).apic(0xb0, 0).raw(0x48, 0xcf);
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.printed()).isEqualTo("woken");
      assertThat(guest.word(0)).isEqualTo(1_000_000_001L);
      assertThat(guest.machine().instructions()).isLessThan(200);
      assertThat(guest.machine().exits()).containsEntry("halt", 1L).containsEntry("interrupt", 1L);
      assertThat(guest.machine().faults()).containsEntry(0x40, 1L);
    }
  }

  @Test
  void aTimerSetInTheMiddleOfATurnStrikesOnItsCount() {
    try (PcGuest guest = new PcGuest()) {
      Label handler = guest.a.newLabel();
      handle(guest, handler);
      guest.raw(0xfb).apic(0x3e0, 0xb).apic(0x320, 0x40);
      // xor ecx, ecx; start; inc ecx for ever
      guest.raw(0x31, 0xc9).apic(0x380, 100);
      Label loop = guest.a.here();
      guest.raw(0xff, 0xc1).a.jmp(loop);
      guest.a.bind(handler);
      guest.a.emit(Mnemonic.MOV, Operand.gpr(Assembler.RAX), Operand.gpr(Assembler.RCX));
      guest.keep(0).powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.word(0)).isEqualTo(50L);
    }
  }

  @Test
  void whatIsTypedReachesTheSerialPort() {
    try (PcGuest guest = new PcGuest()) {
      guest.out(Uart.PORTS + 4, 1, 3);
      Label wait = guest.a.here();
      // Until data is ready: test al, 1
      guest.in(Uart.PORTS + 5).raw(0xa8, 0x01).a.jcc(Assembler.E, wait);
      guest.in(Uart.PORTS).keep(0).powerOff();
      PcMachine.Setup setup = new PcMachine.Setup(image(PcGuest.elf64(guest.a.toBytes())), null, "", PcGuest.MEMORY, 1, true, false);
      try (PcMachine machine = new PcMachine(setup, (bytes, length) -> {})) {
        machine.type(new byte[] {'!'});
        assertThat(machine.run(1_000_000).kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
        assertThat(machine.memory().readLong(PcGuest.DATA)).isEqualTo('!');
      }
    }
  }

  /** Writes bytes to memory, such as code for real mode; rbx is lost. */
  private static void put(PcGuest guest, int pa, int... bytes) {
    for (int n = 0; n < bytes.length; n++) {
      guest.a.mov(Assembler.RBX, pa + n).raw(0xc6, 0x03, bytes[n]);
    }
  }

  private static void put(PcGuest guest, int pa, String hex) {
    byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
    put(guest, pa, IntStream.range(0, bytes.length).map(n -> bytes[n] & 0xff).toArray());
  }

  // ---- Several processors ----

  /** Copies code of the second processor to 8000h, and starts that processor there. */
  private static void startSecond(PcGuest guest, int... code) {
    put(guest, 0x8000, code);
    guest.apic(0x310, 1 << 24).apic(0x300, 0x4500).apic(0x300, 0x4608);
  }

  @Test
  void initAndStartupBeginTheSecondProcessorInRealMode() {
    try (PcGuest guest = new PcGuest().processors(2)) {
      // mov ax, 1800h; shl ... is too long for real mode's reach: it writes to 0:600h, through ds 0.
      startSecond(guest, 0xc6, 0x06, 0x00, 0x06, 0x77, 0xf4);
      guest.a.mov(Assembler.RBX, 0x600);
      Label wait = guest.a.here();
      guest.raw(0xf3, 0x90).raw(0x80, 0x3b, 0x77).a.jcc(Assembler.NE, wait);
      guest.print("both").powerOff();
      assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      assertThat(guest.printed()).isEqualTo("both");
      // The boot processor waits with PAUSE, which gives its turn to the second one at once.
      assertThat(guest.machine().virtualNanoseconds()).isLessThan(Scheduler.QUANTUM);
      assertThat(guest.machine().state(0)).isEqualTo("runnable");
      assertThat(guest.machine().state(1)).isEqualTo("blocked");
    }
  }

  // ---- Resets ----

  /** What asks for a reset of the processors: ports and values, -1 for the local APIC's INIT to itself. */
  private static void reset(PcGuest guest, int... portsAndValues) {
    for (int n = 0; n < portsAndValues.length; n += 2) {
      if (portsAndValues[n] < 0) {
        guest.apic(0x310, 0).apic(0x300, 0x4500);
      } else {
        guest.out(portsAndValues[n], 1, portsAndValues[n + 1]);
      }
    }
    guest.raw(0xeb, 0xfe);
  }

  /** Has the boot processor go on in real mode at 800h:34h after INIT, with a shutdown code. */
  private static void goesOn(PcGuest guest, int shutdownCode, int... code) {
    guest.out(0x70, 1, 0x0f).out(0x71, 1, shutdownCode);
    guest.a.mov(Assembler.RBX, 0x467).raw(0xc7, 0x03, 0x34, 0x00, 0x00, 0x08);
    put(guest, 0x8034, code);
  }

  /** mov dx, 3f8h; mov al, 'w'; out dx, al; mov dx, 604h; mov ax, 3400h; out dx, ax; hlt. */
  private static final int[] PRINT_AND_POWER_OFF =
      {0xba, 0xf8, 0x03, 0xb0, 'w', 0xee, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x34, 0xef, 0xf4};

  private static Stream<Arguments> processorResets() {
    return Stream.of(Arguments.of("system control port A", new int[] {0x92, 2, 0x92, 3}),
        Arguments.of("the keyboard controller", new int[] {0x64, 0xfe}),
        Arguments.of("the keyboard controller", new int[] {0x64, 0xd1, 0x60, 0x02}),
        Arguments.of("the reset control register", new int[] {0xcf9, 0, 0xcf9, 4}),
        Arguments.of("INIT of its boot processor", new int[] {-1, 0}));
  }

  @ParameterizedTest
  @MethodSource("processorResets")
  void aResetOfTheProcessorsStartsTheMachineAnew(String by, int[] portsAndValues) {
    try (PcGuest guest = new PcGuest().processors(2)) {
      reset(guest, portsAndValues);
      assertThat(guest.run()).isEqualTo(new RunOutcome(RunOutcome.Kind.REBOOT, "the guest asked for a reset by " + by));
      assertThat(guest.machine().instructions()).isLessThan(30);
    }
  }

  @ParameterizedTest
  @MethodSource("processorResets")
  void afterAResetOfTheProcessorsTheBootProcessorGoesOnWhereTheGuestSaid(String by, int[] portsAndValues) {
    for (int code : new int[] {0x05, 0x0a}) {
      try (PcGuest guest = new PcGuest().processors(2)) {
        startSecond(guest, 0xf4, 0xeb, 0xfd);
        guest.a.mov(Assembler.RAX, 0x1234);
        guest.keep(3);
        goesOn(guest, code, PRINT_AND_POWER_OFF);
        reset(guest, portsAndValues);
        assertThat(guest.run().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
        assertThat(guest.printed()).isEqualTo("w");
        assertThat(guest.word(3)).isEqualTo(0x1234);
        // The chipset's line leads to every processor, the local APIC's message to one.
        assertThat(guest.machine().state(1).equals("down")).isEqualTo(!by.startsWith("INIT"));
      }
    }
  }

  @Test
  void theShutdownCodeIsGoodForOneReset() {
    try (PcGuest guest = new PcGuest()) {
      // out 92h, 2; out 92h, 3 by real-mode code.
      goesOn(guest, 0x0a, 0xb0, 2, 0xe6, 0x92, 0xb0, 3, 0xe6, 0x92, 0xf4);
      reset(guest, 0x64, 0xfe);
      assertThat(guest.run()).isEqualTo(new RunOutcome(RunOutcome.Kind.REBOOT, "the guest asked for a reset by system control port A"));
    }
  }

  @Test
  void aShutdownCodeThatReturnsByAStackIsNamed() {
    try (PcGuest guest = new PcGuest()) {
      goesOn(guest, 0x09, PRINT_AND_POWER_OFF);
      reset(guest, 0x64, 0xfe);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.UNIMPLEMENTED);
      assertThat(outcome.reason()).contains("shutdown code 0x9");
    }
  }

  @Test
  void aJumpToTheFirmwareStartsTheMachineAnew() {
    try (PcGuest guest = new PcGuest()) {
      goesOn(guest, 0x0a, 0xea, 0x00, 0x00, 0xff, 0xff);
      reset(guest, 0x64, 0xfe);
      RunOutcome outcome = guest.run();
      assertThat(outcome.kind()).isEqualTo(RunOutcome.Kind.REBOOT);
      assertThat(outcome.reason()).isEqualTo("the guest asked for a reset by the reset control register");
    }
  }

  /** The way of Linux's machine_real_restart: 64-bit code, 32-bit code without paging, 16-bit code of protected mode, real mode. */
  @Test
  void aKernelThatLeavesLongModeForTheFirmwareStartsTheMachineAnew() {
    try (PcGuest guest = new PcGuest()) {
      put(guest, 0x8000, "b820000000 8ed8" // mov eax, 20h; mov ds, eax
          + "0f20c0 25ffffff7f 0f22c0" // mov eax, cr0; and eax, ~PG; mov cr0, eax
          + "ea198000001800" // jmp 18h:8019h
          + "31c0 31d2 b9800000c0 0f30" // EFER = 0
          + "0f011d50820000" // lidt [8250h]
          + "b910000000 8ed9 8ec1 8ee1 8ee9 8ed1" // ds, es, fs, gs, ss = 10h
          + "66ea40000800"); // jmp 8:40h, of 16 bits
      put(guest, 0x8040, "6631c9 0f20c2 6683e211" // xor ecx, ecx; mov edx, cr0; and edx, PE | ET
          + "6681ca00000060 0f22c2 0f22d9 0f09" // or edx, CD | NW; mov cr0, edx; mov cr3, ecx; wbinvd
          + "80e210 0f22c2" // and dl, ET; mov cr0, edx
          + "ea64000008" // jmp 800h:64h
          + "baf803 b072 ee" // mov dx, 3f8h; mov al, 'r'; out dx, al
          + "eaf0ff00f0"); // jmp f000h:fff0h
      // Code and data of 16 bits, code and data of 32 bits.
      put(guest, 0x8208, "ffff0080009b0000 ffff000100930000 ffff0000009bcf00 ffff00000093cf00");
      // What lgdt and lidt load, and where to jump.
      put(guest, 0x8240, "2700 0082000000000000 000000000000 ffff00000000 0000 008000001800");
      // lgdt [8240h]; jmp far [8258h]
      guest.raw(0x0f, 0x01, 0x14, 0x25, 0x40, 0x82, 0, 0).raw(0xff, 0x2c, 0x25, 0x58, 0x82, 0, 0);
      RunOutcome outcome = guest.run();
      assertThat(outcome).isEqualTo(new RunOutcome(RunOutcome.Kind.REBOOT, "the guest asked for a reset by the reset control register"));
      assertThat(guest.printed()).isEqualTo("r");
      assertThat(guest.machine().faults()).isEmpty();
    }
  }

  @Test
  void equalRunsHaveEqualDigestsAndOthersDoNot() {
    String[] digests = new String[3];
    for (int n = 0; n < 3; n++) {
      try (PcGuest guest = new PcGuest().processors(2)) {
        startSecond(guest, 0xff, 0x06, 0x00, 0x06, 0xeb, 0xfa);
        Label loop = guest.a.mov(Assembler.RCX, 30_000).here();
        guest.raw(0xff, 0xc9).a.jcc(Assembler.NE, loop);
        guest.print(n < 2 ? "same" : "sane").powerOff();
        guest.run();
        digests[n] = guest.machine().digest();
      }
    }
    assertThat(digests[1]).isEqualTo(digests[0]);
    assertThat(digests[2]).isNotEqualTo(digests[0]);
  }
}
