package org.xenolith.machine.pc;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.mem;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.xenolith.image.KernelImage;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;

/** A kernel of a few instructions on a PC: a 64-bit ELF file at machine address {@link #CODE}, started as Linux is. */
final class PcGuest implements AutoCloseable {
  static final long CODE = 0x10_0000, DATA = 0x18_0000;
  static final long MEMORY = 16L << 20;

  private static final long LOCAL_APIC = 0xfee0_0000L;

  final Assembler a = new Assembler(CODE);
  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  private PcMachine machine;
  private int processors = 1;

  PcGuest processors(int count) {
    processors = count;
    return this;
  }

  // ---- Code ----

  /** OUT of a number; rax and rdx are lost. */
  PcGuest out(int port, int size, long value) {
    a.mov(Assembler.RAX, value).mov(Assembler.RDX, port);
    // out dx, al; out dx, ax; out dx, eax
    return raw(size == 1 ? new int[] {0xee} : size == 2 ? new int[] {0x66, 0xef} : new int[] {0xef});
  }

  /** IN into rax, zero-extended; rdx is lost. */
  PcGuest in(int port) {
    a.mov(Assembler.RAX, 0).mov(Assembler.RDX, port);
    return raw(0xec);
  }

  PcGuest raw(int... code) {
    a.raw(code);
    return this;
  }

  /** Writes a register of the local APIC; rax and rbx are lost. */
  PcGuest apic(int offset, int value) {
    a.mov(Assembler.RBX, LOCAL_APIC + offset).mov(Assembler.RAX, value & 0xffff_ffffL);
    // mov [rbx], eax
    return raw(0x89, 0x03);
  }

  /** Stores rax into the n-th word of the data; rbx is lost. */
  PcGuest keep(int word) {
    a.mov(Assembler.RBX, DATA + 8L * word).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(Assembler.RAX));
    return this;
  }

  PcGuest print(String text) {
    for (byte b : text.getBytes(StandardCharsets.US_ASCII)) {
      out(Uart.PORTS, 1, b);
    }
    return this;
  }

  PcGuest powerOff() {
    return out(0x604, 2, 5 << 10 | 1 << 13).raw(0xf4);
  }

  // ---- Running ----

  RunOutcome run() {
    return run(KernelImage.read("pc guest", MemorySegment.ofArray(elf64(a.toBytes()))), 10_000_000);
  }

  RunOutcome run(KernelImage image, long limit) {
    PcMachine.Setup setup = new PcMachine.Setup(image, "module".getBytes(StandardCharsets.US_ASCII), "hello", MEMORY, processors, true,
        true);
    machine = new PcMachine(setup, (bytes, length) -> printed.write(bytes, 0, length));
    return machine.run(limit);
  }

  PcMachine machine() {
    return machine;
  }

  String printed() {
    return printed.toString(StandardCharsets.US_ASCII);
  }

  /** The n-th word of the data. */
  long word(int n) {
    return machine.memory().readLong(DATA + 8L * n);
  }

  @Override
  public void close() {
    if (machine != null) {
      machine.close();
    }
  }

  static byte[] elf64(byte[] code) {
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(CODE).putLong(64).putLong(0).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 1).putShort((short) 64).putShort((short) 0).putShort((short) 0);
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(0xffff_ffff_8000_0000L).putLong(CODE).putLong(code.length);
    elf.putLong(0x1000 + code.length);
    elf.putLong(0x1000);
    elf.position(0x1000);
    elf.put(code);
    return elf.array();
  }

  /** An ELF32 file for i386 that is loaded whole at {@link #CODE}, with a Multiboot header at 60h and code at 80h. */
  static byte[] multiboot(int flags, int... code) {
    ByteBuffer elf = ByteBuffer.allocate(0x80 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 1, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 3).putInt(1).putInt((int) CODE + 0x80).putInt(52).putInt(0).putInt(0);
    elf.putShort((short) 52).putShort((short) 32).putShort((short) 1).putShort((short) 40).putShort((short) 0).putShort((short) 0);
    elf.putInt(1).putInt(0).putInt((int) CODE).putInt((int) CODE).putInt(elf.capacity()).putInt(elf.capacity()).putInt(7).putInt(0x1000);
    elf.position(0x60);
    elf.putInt(0x1bad_b002).putInt(flags).putInt(-0x1bad_b002 - flags);
    elf.position(0x80);
    for (int b : code) {
      elf.put((byte) b);
    }
    return elf.array();
  }
}
