package org.xenolith.xen.build;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.Mmu;
import org.xenolith.image.ImageException;
import org.xenolith.image.XenNotes;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Observer;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.FrameTable;
import org.xenolith.xen.mm.PageTableDump;

class PvBuilderTest {
  private static final long MEMORY = 16L << 20;
  private static final long BASE = TinyKernel.BASE;
  private static final int NR_PT_FRAMES = 96, MOD_START = 112, MOD_LEN = 120, FIRST_P2M_PFN = 1152;

  @TempDir private Path folder;
  private Hypervisor xen;
  private Cpu cpu;
  private Domain domain;

  private PvDomain build(TinyKernel kernel, byte[] initrd, String commandLine, long memory, long seed) throws IOException {
    GuestMemory ram = new GuestMemory(Arena.ofAuto().allocate(PvBuilder.machineFrames(memory) * 4096, 4096));
    CodeCache code = new CodeCache(ram);
    Clock clock = new Clock();
    xen = new Hypervisor(ram, clock, new EventQueue(), code, Observer.NONE);
    domain = new Domain(xen, 1);
    xen.domains.add(domain);
    cpu = new Cpu(new AmdModel(), ram, code, Bus.EMPTY, clock);
    cpu.cr0 = Cpu.CR0_PE | Cpu.CR0_PG | Cpu.CR0_WP;
    cpu.cr4 = 0x20;
    cpu.efer = Cpu.EFER_LME | Cpu.EFER_LMA | Cpu.EFER_NXE;
    domain.vcpus.add(new Vcpu(domain, 0, cpu));
    PvDomain built = new PvBuilder(domain).build(kernel.image(folder), initrd, commandLine, memory, seed);
    cpu.refresh();
    return built;
  }

  private long info(PvDomain built, int offset) {
    return cpu.mmu.read64(built.startInfoVa() + offset);
  }

  private String text(long va) {
    StringBuilder text = new StringBuilder();
    for (int c; (c = cpu.mmu.read8(va++)) != 0; ) {
      text.append((char) c);
    }
    return text.toString();
  }

  @Test
  void theFirstVcpuStartsAsXenStartsIt() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", MEMORY, 1);
    assertThat(cpu.rip).isEqualTo(BASE + TinyKernel.PA);
    assertThat(cpu.r[Cpu.RSI]).isEqualTo(built.startInfoVa());
    assertThat(cpu.r[Cpu.RSP]).isEqualTo(built.stackTop());
    assertThat(cpu.rflags()).isEqualTo(0x202);
    assertThat(cpu.cpl).isEqualTo(3);
    assertThat(cpu.cr3).isEqualTo(built.rootMfn() << 12);
    assertThat(domain.vcpus.getFirst().state).isEqualTo(Vcpu.State.RUNNABLE);
  }

  @Test
  void memoryIsLaidOutInXensOrder() throws IOException {
    PvDomain built = build(new TinyKernel(), new byte[5000], "", MEMORY, 1);
    long kernelEnd = BASE + TinyKernel.PA + TinyKernel.SIZE;
    // initrd of two pages, p2m list of 4,096 entries, start_info, xenstore, console, page tables, boot stack
    assertThat(info(built, MOD_START)).isEqualTo(kernelEnd);
    assertThat(info(built, MOD_LEN)).isEqualTo(5000);
    long mfnList = kernelEnd + 0x2000;
    assertThat(info(built, 104)).isEqualTo(mfnList);
    assertThat(built.startInfoVa()).isEqualTo(mfnList + 8 * 4096);
    assertThat(info(built, 88)).isEqualTo(built.startInfoVa() + 0x3000);
    long tables = info(built, NR_PT_FRAMES);
    assertThat(tables).isEqualTo(1 + 1 + 1 + 2);
    assertThat(built.stackTop()).isEqualTo(built.startInfoVa() + 0x3000 + (tables + 1 << 12));
    assertThat(built.mappedEnd()).isEqualTo(BASE + (4L << 20));
    assertThat(cpu.mmu.translate(built.mappedEnd() - 1, Mmu.READ)).isPositive();
    assertThat(cpu.mmu.translate(built.mappedEnd(), Mmu.READ)).isEqualTo(-1);
    assertThat(cpu.mmu.translate(BASE, Mmu.READ)).isEqualTo(built.p2m()[0] << 12);
  }

  @Test
  void startInfoNamesWhatTheGuestNeeds() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "console=hvc0 quiet", MEMORY, 1);
    long info = built.startInfoVa();
    assertThat(text(info)).isEqualTo("xen-3.0-x86_64");
    assertThat(info(built, 32)).isEqualTo(MEMORY >> 12);
    assertThat(info(built, 40)).isEqualTo(domain.sharedInfoPa());
    assertThat(cpu.mmu.read32(info + 48)).isZero();
    assertThat(info(built, 56)).isEqualTo(built.storeMfn());
    assertThat(cpu.mmu.read32(info + 64)).isEqualTo(1);
    assertThat(info(built, 72)).isEqualTo(built.consoleMfn());
    assertThat(cpu.mmu.read32(info + 80)).isEqualTo(2);
    assertThat(text(info + 128)).isEqualTo("console=hvc0 quiet");
    assertThat(info(built, FIRST_P2M_PFN)).isZero();
    assertThat(xen.memory.readByte(domain.sharedInfoPa() + 1)).isEqualTo((byte) 1);
  }

  @Test
  void theKernelIsWhereItsHeadersSay() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", MEMORY, 1);
    assertThat(cpu.mmu.read8(built.entry())).isEqualTo(TinyKernel.MARK & 0xff);
    assertThat(cpu.mmu.read8(built.entry() + TinyKernel.SIZE - 1)).isEqualTo(TinyKernel.MARK & 0xff);
  }

  @Test
  void whatTheAbiLeavesUnspecifiedIsWhatTheSeedMakesUp() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", MEMORY, 1);
    assertThat(cpu.mmu.read64(built.stackTop() - 64)).isNotZero();
    assertThat(cpu.r[0]).isNotZero();
    assertThat(cpu.r[6]).isEqualTo(built.startInfoVa());
    assertThat(info(built, 16)).as("the rest of the magic").isZero();
  }

  @Test
  void withoutASeedItIsZero() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", MEMORY, 0);
    assertThat(cpu.mmu.read64(built.stackTop() - 64)).isZero();
    assertThat(cpu.r[0]).isZero();
  }

  @Test
  void theP2mListIsMappedWhereTheKernelWantsIt() throws IOException {
    long place = 0x8000000000L;
    PvDomain built = build(new TinyKernel().number(XenNotes.INIT_P2M, place), null, "", MEMORY, 1);
    assertThat(info(built, 104)).isEqualTo(place);
    assertThat(info(built, FIRST_P2M_PFN)).isEqualTo(built.mappedEnd() - BASE >> 12);
    // Eight pages of list, and an L3, an L2 and an L1 table for them.
    assertThat(info(built, FIRST_P2M_PFN + 8)).isEqualTo(8 + 3);
    for (int pfn : new int[] {0, 777, 4095}) {
      assertThat(cpu.mmu.read64(place + 8L * pfn)).isEqualTo(built.p2m()[pfn]);
    }
    assertThat(info(built, NR_PT_FRAMES)).isEqualTo(5);
  }

  @Test
  void anInitrdIsLeftUnmappedWhereTheKernelTakesThat() throws IOException {
    PvDomain built = build(new TinyKernel().number(XenNotes.MOD_START_PFN, 1), new byte[] {42, 0, 0}, "", MEMORY, 1);
    assertThat(cpu.mmu.read32(built.startInfoVa() + 48)).isEqualTo(8);
    long pfn = info(built, MOD_START);
    assertThat(pfn).isEqualTo(built.mappedEnd() - BASE >> 12);
    assertThat(xen.memory.readByte(built.p2m()[(int) pfn] << 12)).isEqualTo((byte) 42);
    assertThat(info(built, MOD_LEN)).isEqualTo(4096);
  }

  @Test
  void initialTablesAreReadOnlyPinnedAndHaveTheFlagsOfARealXen() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", MEMORY, 1);
    FrameTable frames = xen.frames;
    assertThat(frames.type(built.rootMfn())).isEqualTo(FrameTable.L4);
    assertThat(frames.is(built.rootMfn(), FrameTable.PINNED)).isTrue();
    assertThat(cpu.mmu.translate(info(built, 88), Mmu.WRITE)).isEqualTo(-1);
    long l4Entry = xen.memory.readLong((built.rootMfn() << 12) + 511 * 8);
    long l3Entry = xen.memory.readLong((l4Entry & 0xffffffffff000L) + 510 * 8);
    long l2Entry = xen.memory.readLong(l3Entry & 0xffffffffff000L);
    assertThat(l4Entry & 0xfff).isEqualTo(0x67);
    assertThat(l3Entry & 0xfff).isEqualTo(0x67);
    assertThat(l2Entry & 0xfff).isEqualTo(0x67);
    long l1Entry = xen.memory.readLong((l2Entry & 0xffffffffff000L) + 0x80 * 8);
    assertThat(l1Entry & ~0xffffffffff000L).isEqualTo(0x0010000000000027L);
    assertThat(PageTableDump.of(xen.memory, frames, built.rootMfn())).contains("pfn 0  rwx kernel").contains("ffff800000000000");
  }

  @Test
  void noPfnIsItsOwnMfnAndTheSeedChoosesTheFrames() throws IOException {
    long[] first = build(new TinyKernel(), null, "", MEMORY, 1).p2m();
    long[] again = build(new TinyKernel(), null, "", MEMORY, 1).p2m();
    long[] other = build(new TinyKernel(), null, "", MEMORY, 2).p2m();
    assertThat(again).isEqualTo(first);
    assertThat(other).isNotEqualTo(first);
    assertThat(Arrays.stream(first).distinct().count()).isEqualTo(first.length);
    for (int pfn = 0; pfn < first.length; pfn++) {
      assertThat(first[pfn]).isNotEqualTo(pfn);
    }
  }

  @Test
  void aHypercallPageIsFilled() throws IOException {
    build(new TinyKernel().number(XenNotes.HYPERCALL_PAGE, BASE + TinyKernel.PA + 0x1000), null, "", MEMORY, 1);
    long page = BASE + TinyKernel.PA + 0x1000;
    assertThat(cpu.mmu.read64(page + 12 * 32)).isEqualTo(0x0f0000000cb85341L << 8 | 0x51);
    assertThat(cpu.mmu.read32(page + 23 * 32)).isEqualTo(0x50534151);
  }

  @Test
  void oddAmountsOfMemoryAreBuiltToo() throws IOException {
    PvDomain built = build(new TinyKernel(), null, "", (9L << 20) + 3 * 4096, 5);
    assertThat(built.p2m()).hasSize((9 << 8) + 3);
    assertThat(domain.totalPages).isEqualTo((9 << 8) + 3);
  }

  @Test
  void whatCannotBeBuiltIsSaidInOneLine() {
    refused(new TinyKernel(), null, "x".repeat(1024), MEMORY, "command line");
    refused(new TinyKernel(), null, "", 1 << 20, "not enough memory");
    refused(new TinyKernel(), new byte[12 << 20], "", 8 << 20, "the initrd");
    refused(new TinyKernel(), null, "", MEMORY + 1, "whole pages");
    refused(new TinyKernel().text(XenNotes.FEATURES, "!dom0"), null, "", MEMORY, "dom0");
    refused(new TinyKernel().text(XenNotes.FEATURES, "!auto_translated_physmap"), null, "", MEMORY, "auto_translated_physmap");
    refused(new TinyKernel().number(XenNotes.HYPERCALL_PAGE, BASE + 8), null, "", MEMORY, "hypercall page");
    refused(new TinyKernel().text(XenNotes.BSD_SYMTAB, "yes"), null, "", MEMORY, "BSD_SYMTAB");
    assertThatThrownBy(() -> build(new TinyKernel().text(XenNotes.XEN_VERSION, "xen-2.0"), null, "", MEMORY, 1))
        .isInstanceOf(ImageException.class);
  }

  private void refused(TinyKernel kernel, byte[] initrd, String commandLine, long memory, String why) {
    assertThatThrownBy(() -> build(kernel, initrd, commandLine, memory, 1))
        .isInstanceOf(BuildException.class)
        .hasMessageContaining(why)
        .message()
        .doesNotContain("\n");
  }

  @Test
  void theCommandLineHoldsUpTo1023Bytes() throws IOException {
    String line = "x".repeat(1023);
    PvDomain built = build(new TinyKernel(), null, line, MEMORY, 1);
    byte[] bytes = new byte[1024];
    long pa = cpu.mmu.translate(built.startInfoVa() + 128, Mmu.READ);
    xen.memory.read(pa, bytes, 0, 1024);
    assertThat(new String(bytes, StandardCharsets.ISO_8859_1)).isEqualTo(line + "\0");
  }
}
