package org.xenolith.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.xenolith.isa.Instruction;

/** What a debugger outside the guest may ask for, and that the run does not change by it. */
class BreakpointsTest {
  /** Walks pages and frames with loads, stores, pushes, read-modify-writes and string instructions, across pages, too; ends with UD2. */
  private static final String WORK =
      "b9 40 00 00 00" // mov ecx,64
          + "48 8b 06" // mov rax,[rsi]
          + "48 01 46 03" // add [rsi+3],rax
          + "ff 8e fc 0f 00 00" // dec dword [rsi+0xffc]
          + "50 8f 86 00 80 00 00" // push rax; pop [rsi+0x8000]
          + "f3 0f 6f 86 f8 0f 00 00" // movdqu xmm0,[rsi+0xff8]
          + "0f 11 86 00 10 00 00" // movups [rsi+0x1000],xmm0
          + "51 56" // push rcx; push rsi
          + "48 8d be 00 20 00 00" // lea rdi,[rsi+0x2000]
          + "b9 20 00 00 00 f3 a4" // mov ecx,32; rep movsb
          + "b9 20 00 00 00 f3 48 ab" // mov ecx,32; rep stosq
          + "5e 59" // pop rsi; pop rcx
          + "48 81 c6 e8 0f 00 00" // add rsi,0xfe8
          + "ff c9 75 b8" // dec ecx; jnz to the first load
          + "0f 0b"; // ud2

  private final Machine machine = new Machine();
  private final Cpu cpu = machine.cpu;
  private final List<Long> stops = new ArrayList<>();

  private Breakpoints debug(Consumer<Cpu> listener) {
    Breakpoints points =
        new Breakpoints(
            c -> {
              stops.add(c.rip);
              listener.accept(c);
              return false;
            });
    cpu.debug(points);
    return points;
  }

  @Test
  void stopsBeforeTheInstructionWithEverythingExact() {
    machine.code("ff c0 ff c0 ff c0 eb f8"); // three times inc eax, and again
    List<String> seen = new ArrayList<>();
    Breakpoints points = debug(c -> seen.add(c.r[Cpu.RAX] + " " + c.retired + " " + c.clock.now));
    points.add(Machine.CODE + 4);
    machine.step(8);
    assertThat(stops).containsExactly(Machine.CODE + 4, Machine.CODE + 4);
    assertThat(seen).containsExactly("2 2 2", "5 6 6");
    assertThat(machine.clock.now).isEqualTo(8);
    points.remove(Machine.CODE + 4);
    machine.step(8);
    assertThat(stops).hasSize(2);
  }

  @Test
  void addressesAreLinearWhereTheCodeSegmentHasABase() {
    machine.compatibility().code("40 40 40 eb fb"); // three times inc eax, and again
    cpu.segmentBase[Instruction.CS] = Machine.CODE - 0x100;
    cpu.rip = 0x100;
    debug(c -> {}).add(Machine.CODE + 1);
    machine.step(4);
    assertThat(stops).containsExactly(0x101L);
  }

  @Test
  void anInstructionThatBeginsAnewForADeviceIsAskedForOnce() {
    machine.map(Machine.DATA, 1L << 30 | Machine.FLAGS).code("ff c0 8b 0e ff c0"); // inc eax; mov ecx,[rsi]; inc eax
    cpu.r[Cpu.RSI] = Machine.DATA;
    debug(c -> {}).everywhere(true);
    machine.step(3);
    assertThat(stops).containsExactly(Machine.CODE, Machine.CODE + 2, Machine.CODE + 4);
    assertThat(cpu.r[Cpu.RCX]).isEqualTo(0xffff_ffffL);
  }

  @Test
  void stopsEverywhereForStepping() {
    machine.code("ff c0 ff c0 eb fa");
    debug(c -> {}).everywhere(true);
    machine.step(4);
    assertThat(stops).containsExactly(Machine.CODE, Machine.CODE + 2, Machine.CODE + 4, Machine.CODE);
  }

  @Test
  void aWatchpointStopsBehindTheAccessThatHitIt() {
    machine.code("8b 06 89 06 90 eb f9"); // mov eax,[rsi]; mov [rsi],eax; nop
    cpu.r[Cpu.RSI] = Machine.DATA + 4;
    Breakpoints[] points = new Breakpoints[1];
    List<Breakpoints.Hit> hits = new ArrayList<>();
    points[0] = debug(c -> hits.add(points[0].takeHit()));
    Breakpoints.Watchpoint watch = new Breakpoints.Watchpoint(Machine.DATA + 7, 1, false, true);
    points[0].add(watch);
    machine.step(6);
    assertThat(stops).containsExactly(Machine.CODE + 4);
    assertThat(hits).containsExactly(new Breakpoints.Hit(watch, cpu, Machine.DATA + 4));
    // The second round's write was the last instruction: it is forgotten with its watchpoint.
    points[0].remove(watch);
    points[0].add(new Breakpoints.Watchpoint(Machine.DATA, 8, true, false));
    machine.step(4);
    assertThat(stops).containsExactly(Machine.CODE + 4, Machine.CODE + 2);
  }

  @Test
  void aWatchedStringInstructionRunsOnAsItDoesUnwatched() {
    machine.code("f3 aa 90");
    cpu.r[Cpu.RDI] = Machine.DATA;
    cpu.r[Cpu.RCX] = 10;
    debug(c -> {}).add(new Breakpoints.Watchpoint(Machine.DATA + 3, 1, false, true));
    machine.step(2);
    assertThat(cpu.r[Cpu.RCX]).isZero();
    assertThat(stops).containsExactly(Machine.CODE + 2);
  }

  @Test
  void changedRegistersAndCodeTakeEffectAtOnce() {
    machine.code("ff c0 ff c0 ff c0 ff c0 0f 0b");
    Breakpoints points =
        new Breakpoints(
            c -> {
              stops.add(c.rip);
              if (stops.size() > 1) {
                return false;
              }
              c.r[Cpu.RAX] = 100;
              machine.code(Machine.CODE + 2, "ff c8"); // dec eax
              return true;
            });
    cpu.debug(points);
    points.add(Machine.CODE + 2);
    assertThat(machine.fault().vector()).isEqualTo(Fault.UD);
    assertThat(cpu.r[Cpu.RAX]).isEqualTo(101);
    assertThat(stops).containsExactly(Machine.CODE + 2, Machine.CODE + 2);
    assertThat(cpu.retired).isEqualTo(4);
  }

  @Test
  void theGuestsOwnSingleStepGoesOnBesideTheDebuggers() {
    machine.code("ff c0 ff c0");
    debug(c -> {}).everywhere(true);
    cpu.setRflags(cpu.rflags() | Cpu.TF);
    assertThat(machine.run(100)).isEqualTo(new Exit.Exception(Fault.DB, Fault.NO_ERROR_CODE, 1 << 14));
    assertThat(stops).containsExactly(Machine.CODE);
  }

  @Test
  void nothingOfARunChangesByBeingWatched() {
    String plain = work(points -> {});
    assertThat(plain).contains("vector=6");
    assertThat(work(points -> points.everywhere(true))).isEqualTo(plain);
    assertThat(work(points -> points.add(Machine.CODE + 12))).isEqualTo(plain);
    assertThat(work(points -> points.add(new Breakpoints.Watchpoint(Machine.DATA + 0x1800, 0x1000, true, true)))).isEqualTo(plain);
    assertThat(work(points -> points.add(new Breakpoints.Watchpoint(0x10, 1, true, true)))).isEqualTo(plain);
  }

  /** Runs {@link #WORK} in pieces on pages not yet accessed, and says all that can be known afterwards. */
  private static String work(Consumer<Breakpoints> wanted) {
    Machine machine = new Machine();
    Cpu cpu = machine.cpu;
    machine.code(WORK);
    for (int n = 0; n < Machine.FRAMES; n++) {
      machine.map((long) n << 12, (long) n << 12 | Mmu.PRESENT | Mmu.WRITABLE | Mmu.USER);
    }
    cpu.r[Cpu.RSI] = Machine.DATA;
    Breakpoints points = new Breakpoints(c -> false);
    cpu.debug(points);
    wanted.accept(points);
    Exit exit;
    int pieces = 0;
    do {
      exit = cpu.run(machine.clock.now + 7);
      points.takeHit();
      if (++pieces % 5 == 0) {
        // As a guest does that looks which pages are used.
        machine.memory.writeLong(Machine.entry(Machine.DATA + 0x1000 * pieces % 0x40000), 0x20_0000 + 0x1000 * pieces % 0x40000 | 7);
      }
    } while (exit instanceof Exit.Budget);
    StringBuilder all = new StringBuilder(exit.toString()).append(cpu.dump());
    for (long value : cpu.tlbStatistics()) {
      all.append(' ').append(value);
    }
    MemorySegment copy = MemorySegment.ofArray(new byte[Machine.FRAMES * GuestMemory.FRAME_SIZE]);
    for (int n = 0; n < Machine.FRAMES; n++) {
      copy.asSlice((long) n << 12, 4096).copyFrom(machine.memory.frame(n));
      all.append(machine.memory.hasCode(n) ? 'c' : '.').append(machine.memory.written(n) ? 'w' : '.');
    }
    all.append(Arrays.hashCode(copy.toArray(ValueLayout.JAVA_BYTE)));
    return all.toString();
  }
}
