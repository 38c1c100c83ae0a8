package org.xenolith.xen.pv;

import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;

import java.util.ArrayList;
import java.util.List;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;
import org.xenolith.machine.RunOutcome;
import org.xenolith.xen.Breach;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;

/**
 * A micro-guest that works on its page tables. Frames go by the address at which they are mapped to begin with; pages {@link #A} to {@link
 * #D} are spare, mapped writable and zero.
 */
final class PageTableGuest implements AutoCloseable {
  static final long A = 0x1a0000, B = 0x1a1000, C = 0x1a2000, D = 0x1a3000;

  /** Entries without address: what Linux calls PAGE_KERNEL, PAGE_KERNEL_RO and _KERNPG_TABLE. */
  static final long WRITABLE = 0x63, READ_ONLY = 0x61, TABLE = 0x67;

  /** MMUEXT commands; PIN + level pins a table of that level. */
  static final int PIN = -1, UNPIN = 4, TLB_FLUSH_LOCAL = 6;

  private static final int MMU_UPDATE = 1, UPDATE_VA_MAPPING = 14;
  private static final long SELF = 0x7ff0;

  /** Words of the data that lists for hypercalls are made in. */
  private static final int SCRATCH = 200;

  private static final int START_INFO_PT_BASE = 88, START_INFO_MFN_LIST = 104;

  final MicroGuest guest = new MicroGuest();
  final Assembler a = guest.a;
  final List<Breach> breaches = new ArrayList<>();

  // ---- Frames ----

  /** Loads the machine frame of the page that is mapped at {@code va}. */
  PageTableGuest mfn(int register, long va) {
    startInfo(register, START_INFO_MFN_LIST);
    a.emit(Mnemonic.MOV, gpr(register), mem(register, (va >>> 12) * 8));
    return this;
  }

  private void startInfo(int register, int offset) {
    a.mov(register, MicroGuest.DATA - 8).emit(Mnemonic.MOV, gpr(register), mem(register, 0));
    a.emit(Mnemonic.MOV, gpr(register), mem(register, offset));
  }

  /** Loads the frame of one of the first tables: 0 the root, 1 the L3, 2 the L2, 3 the first L1. They lie in a row. */
  PageTableGuest firstTable(int register, int table) {
    startInfo(register, START_INFO_PT_BASE);
    a.emit(Mnemonic.SHR, gpr(register), imm(9)).emit(Mnemonic.MOV, gpr(Assembler.R9), gpr(register));
    startInfo(register, START_INFO_MFN_LIST);
    a.emit(Mnemonic.ADD, gpr(register), gpr(Assembler.R9)).emit(Mnemonic.MOV, gpr(register), mem(register, 8L * table));
    return this;
  }

  /** Makes the frame in a register an entry with these flags; rcx is lost. */
  private void toEntry(int register, long flags) {
    a.emit(Mnemonic.SHL, gpr(register), imm(12)).mov(Assembler.RCX, flags).emit(Mnemonic.OR, gpr(register), gpr(Assembler.RCX));
  }

  // ---- Mappings ----

  /** Maps the page of {@code frameVa} at {@code va}, and has the TLB forget what was there. */
  PageTableGuest map(long va, long frameVa, long flags) {
    mfn(Assembler.RSI, frameVa);
    toEntry(Assembler.RSI, flags);
    return mapRsi(va);
  }

  /** Maps what is in rsi. */
  PageTableGuest mapRsi(long va) {
    a.mov(Assembler.RDI, va).mov(Assembler.RDX, 2).mov(Assembler.RAX, UPDATE_VA_MAPPING).emit(Mnemonic.SYSCALL);
    return this;
  }

  /** Maps this very entry. */
  PageTableGuest mapEntry(long va, long entry) {
    a.mov(Assembler.RSI, entry);
    return mapRsi(va);
  }

  PageTableGuest readOnly(long va) {
    return map(va, va, READ_ONLY);
  }

  PageTableGuest writable(long va) {
    return map(va, va, WRITABLE);
  }

  // ---- mmuext_op ----

  /** An mmuext_op about the page at {@code va}. */
  PageTableGuest mmuext(int command, long va) {
    mfn(Assembler.RDX, va);
    guest.keep(SCRATCH + 1, Assembler.RDX);
    return mmuext(command);
  }

  /** An mmuext_op about nothing, or what is in its argument already. */
  PageTableGuest mmuext(int command) {
    guest.put(SCRATCH, command).call(MicroGuest.MMUEXT_OP, MicroGuest.DATA + 8 * SCRATCH, 1, 0, SELF);
    return this;
  }

  // ---- mmu_update ----

  /** Changes an entry of one of the first tables to name the page at {@code va}. */
  PageTableGuest setEntry(int table, int slot, long va, long flags) {
    mfn(Assembler.RDX, va);
    return setEntryRdx(table, slot, flags);
  }

  /** The same with the frame in rdx. */
  PageTableGuest setEntryRdx(int table, int slot, long flags) {
    toEntry(Assembler.RDX, flags);
    guest.keep(SCRATCH + 1, Assembler.RDX);
    return request(table, slot, 0);
  }

  /** A request about a slot of one of the first tables, with the value that is in the second word. */
  PageTableGuest request(int table, int slot, int type) {
    firstTable(Assembler.RDX, table);
    toEntry(Assembler.RDX, 8L * slot | type);
    guest.keep(SCRATCH, Assembler.RDX).call(MMU_UPDATE, MicroGuest.DATA + 8 * SCRATCH, 1, 0, SELF);
    return this;
  }

  /** A request about a word of the page at {@code va}. */
  PageTableGuest requestAbout(long va, int word, int type, long value) {
    mfn(Assembler.RDX, va);
    toEntry(Assembler.RDX, 8L * word | type);
    guest.keep(SCRATCH, Assembler.RDX).put(SCRATCH + 1, value).call(MMU_UPDATE, MicroGuest.DATA + 8 * SCRATCH, 1, 0, SELF);
    return this;
  }

  /** Stores a number at an address. */
  PageTableGuest store(long va, long value) {
    a.mov(Assembler.RBX, va).mov(Assembler.RCX, value).emit(Mnemonic.MOV, mem(Assembler.RBX, 0), gpr(Assembler.RCX));
    return this;
  }

  /** Reads a word at an address. */
  PageTableGuest read(long va) {
    a.mov(Assembler.RBX, va).emit(Mnemonic.MOV, gpr(Assembler.RCX), mem(Assembler.RBX, 0));
    return this;
  }

  // ---- Running ----

  RunOutcome run() {
    return guest.run(
        1_000_000,
        new Observer() {
          @Override
          public void breach(Vcpu vcpu, Breach breach) {
            breaches.add(breach);
          }
        });
  }

  @Override
  public void close() {
    guest.close();
  }
}
