package org.xenolith.insight;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.xenolith.image.KernelImage;
import org.xenolith.image.XenNotes;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;

/** A guest of a few instructions whose functions have names: a 64-bit ELF file with Xen's notes and a symbol table. */
public final class NamedGuest {
  public static final long CODE = 0x100000, DATA = 0x180000, STACK = 0x190000, MEMORY = 16L << 20;
  private static final int[] ARGUMENTS = {Assembler.RDI, Assembler.RSI, Assembler.RDX, Assembler.R10, Assembler.R8};

  private record Function(String name, long address) {}

  public final Assembler a = new Assembler(CODE);
  private final List<Function> functions = new ArrayList<>();

  /** Begins at {@code start}: puts start_info's address in front of the data and takes a stack. */
  public NamedGuest() {
    function("start");
    a.mov(Assembler.RBX, DATA - 8).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(Assembler.RSI));
    a.mov(Assembler.RSP, STACK);
  }

  /** Here begins a function. */
  public NamedGuest function(String name) {
    functions.add(new Function(name, a.address()));
    return this;
  }

  /** Issues a hypercall with numbers as arguments. */
  public NamedGuest call(int number, long... arguments) {
    for (int n = 0; n < arguments.length; n++) {
      a.mov(ARGUMENTS[n], arguments[n]);
    }
    a.mov(Assembler.RAX, number).emit(Mnemonic.SYSCALL);
    return this;
  }

  /** Stores a number into the n-th word of the data. */
  public NamedGuest put(int word, long value) {
    a.mov(Assembler.RCX, value);
    return store(word, Assembler.RCX);
  }

  /** Stores a register into the n-th word of the data; rbx is lost. */
  public NamedGuest store(int word, int register) {
    a.mov(Assembler.RBX, DATA + 8L * word).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(register));
    return this;
  }

  /** Powers off. */
  public NamedGuest powerOff() {
    a.emit(Mnemonic.PUSH, imm(0)).mov(Assembler.RDI, 2).emit(Mnemonic.MOV, gpr(Assembler.RSI), gpr(Assembler.RSP));
    return call(29);
  }

  public KernelImage image() {
    byte[] code = a.toBytes();
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(CODE).putLong(64).putLong(0x800).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 64).putShort((short) 4).putShort((short) 3);
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(CODE).putLong(CODE).putLong(code.length).putLong(code.length).putLong(0x1000);
    elf.putInt(4).putInt(4).putLong(0x200).putLong(0).putLong(0).putLong(48).putLong(48).putLong(4);
    elf.position(0x200);
    note(elf, XenNotes.XEN_VERSION, "xen-3.0");
    note(elf, XenNotes.LOADER, "generic");

    StringBuilder names = new StringBuilder("\0");
    elf.position(0x500);
    symbol(elf, 0, 0, 0, 0);
    for (int n = 0; n < functions.size(); n++) {
      Function f = functions.get(n);
      long end = n + 1 < functions.size() ? functions.get(n + 1).address : CODE + code.length;
      symbol(elf, names.length(), 0x12, f.address, end - f.address);
      names.append(f.name).append('\0');
    }
    elf.position(0x300);
    elf.put(names.toString().getBytes(StandardCharsets.US_ASCII));
    elf.position(0x800);
    section(elf, 0, 0, 0, 0, 0, 0, 0);
    section(elf, 1, 6, CODE, 0x1000, code.length, 0, 0);
    section(elf, 2, 0, 0, 0x500, (functions.size() + 1) * 24L, 3, 24);
    section(elf, 3, 0, 0, 0x300, names.length(), 0, 0);
    elf.position(0x1000);
    elf.put(code);
    return KernelImage.read("a guest of the test", MemorySegment.ofArray(elf.array()));
  }

  private static void note(ByteBuffer elf, int type, String text) {
    elf.putInt(4).putInt(8).putInt(type).put("Xen\0".getBytes(StandardCharsets.US_ASCII));
    elf.put(Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 8));
  }

  private static void symbol(ByteBuffer elf, int name, int info, long value, long size) {
    elf.putInt(name).put((byte) info).put((byte) 0).putShort((short) (value == 0 ? 0 : 1)).putLong(value).putLong(size);
  }

  private static void section(ByteBuffer elf, int type, long flags, long va, long offset, long size, int link, long entrySize) {
    elf.putInt(0).putInt(type).putLong(flags).putLong(va).putLong(offset).putLong(size);
    elf.putInt(link).putInt(1).putLong(8).putLong(entrySize);
  }
}
