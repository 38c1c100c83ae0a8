package org.xenolith.xen.mm;

import static org.xenolith.xen.mm.FrameTable.L1;

import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.Exit;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.isa.CodeBytes;
import org.xenolith.isa.Decoder;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Errno;
import org.xenolith.xen.GuestAccess;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.rules.Rule;

/**
 * Stores to L1 tables that the guest makes as if they were its own: they fault, since tables are mapped read-only, and Xen carries them
 * out if they keep the rules (VMASST_TYPE_writable_pagetables; ptwr_do_page_fault, arch/x86/pv/ro-page-fault.c). Linux clears and
 * write-protects single entries of live tables in this way.
 *
 * <p>The processor itself executes the instruction, once, with a copy of the table in the table's place; the entry that comes out is then
 * checked like any other. So every instruction that stores 1, 2, 4 or 8 bytes can do this, with the meaning it always has.
 */
public final class WritablePageTables {
  private static final int PAGE_MASK = GuestMemory.FRAME_SIZE - 1;

  private final PvMmu mmu;
  private final GuestMemory memory;
  private final Decoder decoder = new Decoder();
  private final byte[] code = new byte[Decoder.MAX_LENGTH];
  private final long[] savedRegisters = new long[17];
  private final long copyMfn;

  WritablePageTables(PvMmu mmu) {
    this.mmu = mmu;
    this.memory = mmu.xen().memory;
    this.copyMfn = mmu.m2p().ownFrame(mmu.allocator());
  }

  /**
   * Answers a page fault that the guest's kernel took on a store to a present page (present and write set in its error code, reserved and
   * fetch clear), with RIP at the instruction.
   *
   * @param va the address of the fault
   * @return null if this is no store to an L1 table that Xen carries out: the fault is the guest's; else how the instruction ended: {@link
   *     Exit.Budget} when it is done, a fault or trap of its own otherwise
   */
  public Exit emulate(Vcpu vcpu, long va) {
    Domain domain = vcpu.domain;
    if ((domain.assists & Domain.ASSIST_WRITABLE_PAGETABLES) == 0) {
      return null;
    }
    long parent = mmu.roots().l1Table(vcpu.kernelRootMfn, va);
    if (parent < 0) {
      return null;
    }
    long mappingPa = PageTables.slotPa(parent, (int) (va >>> 12) & 511);
    long mapping = memory.readLong(mappingPa);
    long tableMfn = Pte.mfn(mapping);
    FrameTable frames = mmu.frames();
    boolean readOnly = (mapping & (Pte.PRESENT | Pte.WRITABLE)) == Pte.PRESENT;
    if (!readOnly || !frames.valid(tableMfn) || frames.owner(tableMfn) != domain.id) {
      return null;
    }
    int type = frames.type(tableMfn);
    if (frames.typeCount(tableMfn) == 0 || type == FrameTable.NONE || type == FrameTable.WRITABLE) {
      return null;
    }
    if (type != L1) {
      String why = "the store at 0x%x to va 0x%x hits what it may only change by hypercalls (%s)";
      mmu.refusals().refuse(Rule.TABLE_STORES, Errno.EINVAL, tableMfn, why.formatted(vcpu.cpu.rip, va, frames.describe(tableMfn)));
      mmu.refusals().address(va, 0);
      mmu.refusals().reportFault(vcpu);
      return null;
    }
    Instruction i = decode(vcpu.cpu);
    if (i == null || !storesOnce(vcpu.cpu, i, va)) {
      String why = "%s at 0x%x stores to L1 table mfn 0x%x in a way that Xen does not carry out (va 0x%x)"
          .formatted(i == null ? "what" : i, vcpu.cpu.rip, tableMfn, va);
      mmu.refusals().refuse(Rule.TABLE_STORES, Errno.EINVAL, tableMfn, why);
      mmu.refusals().address(va, 0);
      if (i != null) {
        int bytes = i.memoryWidth != 0 ? i.memoryWidth : i.width;
        mmu.refusals().debugLine("bad access (cr2=%x, addr=%x, bytes=%d)".formatted(va, i.hasMemory() ? vcpu.cpu.ea(i) : va, bytes));
      }
      mmu.refusals().reportFault(vcpu);
      return null;
    }
    return execute(vcpu, i, va, mappingPa, tableMfn);
  }

  private Instruction decode(Cpu cpu) {
    int length = GuestAccess.copyInstruction(cpu, code);
    int available = length;
    CodeBytes bytes = n -> n < available ? code[n] & 0xff : -1;
    return decoder.decode(bytes, cpu.rip, cpu.mode);
  }

  /**
   * Whether an instruction makes one store, naturally aligned, that begins at {@code va}. x87 and MMX instructions are left out, since
   * what they change besides cannot be taken back here if the entry is refused.
   */
  private static boolean storesOnce(Cpu cpu, Instruction i, long va) {
    if (i.encoding.has(Encoding.X87_STATE) || i.encoding.has(Encoding.MMX_STATE)) {
      return false;
    }
    int width = i.memoryWidth != 0 ? i.memoryWidth : i.width;
    if (width != 1 && width != 2 && width != 4 && width != 8 || (va & width - 1) != 0) {
      return false;
    }
    if (i.kind0 == OperandKind.STRING_DESTINATION) {
      return cpu.r[Cpu.RDI] == va;
    }
    if (i.mnemonic == Mnemonic.PUSH || i.mnemonic == Mnemonic.CALL || i.mnemonic == Mnemonic.PUSHF) {
      return cpu.r[Cpu.RSP] - i.width == va;
    }
    if (i.kind0 == OperandKind.MOFFS) {
      return cpu.linear(i.segment, i.ea) == va;
    }
    if (!i.hasMemory() || i.mnemonic == Mnemonic.POP) {
      return false;
    }
    long address = cpu.ea(i);
    return i.encoding.has(Encoding.BIT_STRING) ? (address - va & width - 1) == 0 : address == va;
  }

  private Exit execute(Vcpu vcpu, Instruction i, long va, long mappingPa, long tableMfn) {
    Cpu cpu = vcpu.cpu;
    System.arraycopy(cpu.r, 0, savedRegisters, 0, savedRegisters.length);
    long savedRip = cpu.rip;
    long savedResult = cpu.flagResult;
    long savedCarries = cpu.flagCarries;
    int savedFlags = cpu.eflags;
    boolean repeated = i.kind0 == OperandKind.STRING_DESTINATION && (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
    if (repeated) {
      // One iteration; the next one comes here again.
      cpu.r[Cpu.RCX] = 1;
    }

    memory.copyFrame(tableMfn, copyMfn);
    long mapping = memory.readLong(mappingPa);
    long copyFlags = mapping & ~Pte.ADDRESS | Pte.WRITABLE | Pte.ACCESSED | Pte.DIRTY;
    memory.writeLong(mappingPa, Pte.of(copyMfn, copyFlags));
    cpu.mmu.flushPage(va);
    Exit exit = cpu.run(cpu.clock.now + 1);
    memory.writeLong(mappingPa, mapping);
    cpu.mmu.flushPage(va);

    if (repeated) {
      long left = savedRegisters[Cpu.RCX] - (cpu.rip == savedRip ? 0 : 1);
      cpu.r[Cpu.RCX] = left;
      cpu.rip = left == 0 ? cpu.rip : savedRip;
    }
    int slot = (int) (va & PAGE_MASK) >>> 3;
    long entry = memory.readLong(PageTables.slotPa(copyMfn, slot));
    int rc = mmu.updates().update(L1, tableMfn, slot, entry, false, vcpu.domain.id, vcpu.domain.id);
    if (rc == 0) {
      mmu.refusals().address(va, entry);
      mmu.refusals().report(vcpu, 0);
      return exit;
    }
    System.arraycopy(savedRegisters, 0, cpu.r, 0, savedRegisters.length);
    cpu.rip = savedRip;
    cpu.flagResult = savedResult;
    cpu.flagCarries = savedCarries;
    cpu.eflags = savedFlags;
    cpu.refresh();
    mmu.refusals().at("stored by %s at 0x%x to va 0x%x".formatted(i, savedRip, va));
    mmu.refusals().debugLine("could not get_page_from_l1e()");
    mmu.refusals().address(va, entry);
    mmu.refusals().reportFault(vcpu);
    return null;
  }
}
