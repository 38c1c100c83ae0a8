package org.xenolith.insight;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.register;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.xenolith.image.KernelImage;
import org.xenolith.image.XenNotes;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Assembler.Label;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.pv.PvMachine;

/**
 * A guest that asks Xen to map its own top-level page table writable, which would let it change the table unseen. Xen refuses; the guest
 * asks from a function with a name, and that is what a kernel developer wants to read.
 */
class RefusalTest {
  private static final long CODE = 0x100000, SPARE_PAGE = 0x180000, STACK = 0x190000;
  private static final int UPDATE_VA_MAPPING = 14, SCHED_OP = 29, SHUTDOWN = 2;

  private final Assembler a = new Assembler(CODE);
  private long guiltyFunction;

  @Test
  void aPageTableMappedWritableIsRefusedWithRuleFrameAndFunction() {
    KernelImage image = elf(program());
    Tally tally = new Tally(new SymbolNames(image::symbols));
    PvMachine.Setup setup = new PvMachine.Setup(image, null, "", 16L << 20, 1, 1, true);
    try (PvMachine machine = new PvMachine(setup, (bytes, length) -> {}, (bytes, length) -> {}, tally)) {
      long root = machine.domain().vcpus.getFirst().kernelRootMfn;
      assertThat(machine.run(1_000_000).kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
      List<RunReport.Refusal> refusals = tally.refusals();
      assertThat(refusals).extracting(RunReport.Refusal::rule).contains("R5");
      assertThat(refusals).allSatisfy(refusal -> {
        assertThat(refusal.function()).contains("map_root_writable+0x");
        assertThat(refusal.message()).contains(Long.toHexString(root));
        assertThat(refusal.errno()).isNegative();
      });
    }
  }

  private byte[] program() {
    Label guilty = a.newLabel();
    a.mov(Assembler.RSP, STACK).call(guilty);
    a.mov(Assembler.RDI, SHUTDOWN).emit(Mnemonic.PUSH, imm(0)).emit(Mnemonic.MOV, gpr(Assembler.RSI), gpr(Assembler.RSP));
    a.mov(Assembler.RAX, SCHED_OP).emit(Mnemonic.SYSCALL);
    a.bind(guilty);
    guiltyFunction = a.address();
    // Present, writable, user, accessed and dirty.
    a.emit(Mnemonic.MOV, gpr(Assembler.RSI), register(OperandKind.CR, 3)).emit(Mnemonic.OR, gpr(Assembler.RSI), imm(0x67));
    a.mov(Assembler.RDI, SPARE_PAGE).mov(Assembler.RDX, 0).mov(Assembler.RAX, UPDATE_VA_MAPPING);
    a.emit(Mnemonic.SYSCALL).emit(Mnemonic.RET);
    return a.toBytes();
  }

  /** A file with the code, Xen's notes, and a symbol table of two functions. */
  private KernelImage elf(byte[] code) {
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(CODE).putLong(64).putLong(0x600).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 64).putShort((short) 4).putShort((short) 3);
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(CODE).putLong(CODE).putLong(code.length).putLong(code.length).putLong(0x1000);
    elf.putInt(4).putInt(4).putLong(0x200).putLong(0).putLong(0).putLong(48).putLong(48).putLong(4);
    elf.position(0x200);
    note(elf, XenNotes.XEN_VERSION, "xen-3.0");
    note(elf, XenNotes.LOADER, "generic");

    String names = "\0start\0map_root_writable\0";
    elf.position(0x300);
    elf.put(names.getBytes(StandardCharsets.US_ASCII));
    elf.position(0x400);
    symbol(elf, 0, 0, 0, 0);
    symbol(elf, 1, 0x12, CODE, guiltyFunction - CODE);
    symbol(elf, 7, 0x12, guiltyFunction, CODE + code.length - guiltyFunction);
    elf.position(0x600);
    section(elf, 0, 0, 0, 0, 0, 0, 0);
    section(elf, 1, 6, CODE, 0x1000, code.length, 0, 0);
    section(elf, 2, 0, 0, 0x400, 3 * 24, 3, 24);
    section(elf, 3, 0, 0, 0x300, names.length(), 0, 0);
    elf.position(0x1000);
    elf.put(code);
    return KernelImage.read("a guest that breaks a rule", MemorySegment.ofArray(elf.array()));
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
