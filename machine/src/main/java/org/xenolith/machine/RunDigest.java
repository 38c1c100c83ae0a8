package org.xenolith.machine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.x87.X87State;
import org.xenolith.isa.Instruction;

/**
 * A number that two runs share only if they were the same: made from every architectural exit with the registers and the count at which it
 * came, every delivered exception and event, everything printed, and the processors and the memory at the end. Not made against forgery.
 */
public final class RunDigest {
  private static final long PRIME1 = 0x9e37_79b9_7f4a_7c15L, PRIME2 = 0xc2b2_ae3d_27d4_eb4fL;

  private long a = PRIME1;
  private long b = PRIME2;

  private void add(long value) {
    a = Long.rotateLeft(a ^ value, 23) * PRIME1;
    b = Long.rotateLeft(b + value, 41) * PRIME2 + a;
  }

  /**
   * A processor left the guest.
   *
   * @param id the processor's number
   */
  public void exit(int id, Cpu cpu, Exit exit) {
    add(cpu.clock.now << 8 | id);
    for (int n = 0; n < 16; n++) {
      add(cpu.r[n]);
    }
    add(cpu.rip);
    add(cpu.rflags());
    add(cpu.segmentBase[Instruction.FS]);
    add(cpu.segmentBase[Instruction.GS]);
    add(cpu.kernelGsBase);
    add(cpu.cr3);
    switch (exit) {
      case Exit.Exception e -> {
        add(e.vector() | (long) e.errorCode() << 8);
        add(e.address());
      }
      case Exit.SoftwareInterrupt i -> add(0x1_0000L + i.vector());
      case Exit.Syscall s -> add(0x2_0000L);
      case Exit.Sysenter s -> add(0x3_0000L);
      case Exit.Halt h -> add(0x5_0000L);
      case Exit.Interrupt i -> add(0x6_0000L);
      case Exit.NonMaskable n -> add(0x7_0000L);
      case Exit.Hypercall h -> add(0x8_0000L);
      case Exit.SecondStageViolation v -> {
        add(0x9_0000L + v.access());
        add(v.gpa());
      }
      default -> add(0x4_0000L);
    }
  }

  /** What has been delivered to the guest since the last call, as a number. */
  public void delivered(long number) {
    add(number);
  }

  /**
   * The guest printed.
   *
   * @param channel tells its consoles apart
   */
  public void console(int channel, byte[] bytes, int length) {
    add((long) channel << 32 | length);
    for (int n = 0; n < length; n++) {
      add(bytes[n]);
    }
  }

  /** All registers of a processor. */
  public void registers(Cpu cpu) {
    for (int n = 0; n < 16; n++) {
      add(cpu.r[n]);
    }
    add(cpu.rip);
    add(cpu.rflags());
    for (int n = 0; n < 6; n++) {
      add(cpu.selector[n]);
      add(cpu.segmentBase[n]);
      add((long) cpu.segmentLimit[n] << 32 | cpu.segmentAccess[n]);
    }
    add(cpu.kernelGsBase);
    add(cpu.tscAux);
    add(cpu.cr0);
    add(cpu.cr3);
    add(cpu.cr4);
    add(cpu.efer);
    for (long value : cpu.dr) {
      add(value);
    }
    for (long value : cpu.xmm) {
      add(value);
    }
    add(cpu.vector.floats.mxcsr);
    X87State x87 = cpu.x87.state;
    for (int n = 0; n < 8; n++) {
      add(x87.significands[n]);
      add(x87.signExponents[n]);
    }
    add((long) x87.control << 32 | x87.statusWord());
    add((long) x87.occupied << 32 | x87.opcode);
    add(x87.instructionPointer);
    add(x87.dataPointer);
    add((long) x87.codeSelector << 32 | x87.dataSelector);
    if (cpu.ownsRing0) {
      systemRegisters(cpu);
    }
  }

  private void systemRegisters(Cpu cpu) {
    add(cpu.cpl);
    add(cpu.cr2);
    add(cpu.gdtBase);
    add(cpu.idtBase);
    add((long) cpu.gdtLimit << 32 | cpu.idtLimit);
    add(cpu.ldtBase);
    add((long) cpu.ldtLimit << 32 | cpu.ldtAccess);
    add(cpu.taskBase);
    add((long) cpu.taskLimit << 32 | cpu.taskAccess);
    add((long) cpu.ldtSelector << 32 | cpu.taskSelector);
    add(cpu.star);
    add(cpu.lstar);
    add(cpu.cstar);
    add(cpu.syscallMask);
    add(cpu.sysenterCs);
    add(cpu.sysenterRsp);
    add(cpu.sysenterRip);
  }

  /** All memory; frames that hold only zeroes do not count, whether or not they were ever written. */
  public void memory(GuestMemory memory) {
    for (long mfn = 0; mfn < memory.frames(); mfn++) {
      if (!memory.written(mfn)) {
        continue;
      }
      MemorySegment frame = memory.frame(mfn);
      long any = 0;
      for (long at = 0; at < GuestMemory.FRAME_SIZE && any == 0; at += 8) {
        any |= frame.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
      }
      if (any == 0) {
        continue;
      }
      add(mfn);
      for (long at = 0; at < GuestMemory.FRAME_SIZE; at += 8) {
        add(frame.get(ValueLayout.JAVA_LONG_UNALIGNED, at));
      }
    }
  }

  /** The digest so far, 32 hexadecimal digits. */
  public String hex() {
    return "%016x%016x".formatted(mix(a ^ Long.rotateLeft(b, 17)), mix(b + a));
  }

  private static long mix(long z) {
    z = (z ^ z >>> 30) * 0xbf58_476d_1ce4_e5b9L;
    z = (z ^ z >>> 27) * 0x94d0_49bb_1331_11ebL;
    return z ^ z >>> 31;
  }
}
