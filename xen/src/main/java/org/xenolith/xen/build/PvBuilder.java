package org.xenolith.xen.build;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.image.PvLayout;
import org.xenolith.image.Segment;
import org.xenolith.image.XenFeatures;
import org.xenolith.image.XenNotes;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.mm.MemoryOp;
import org.xenolith.xen.mm.PvMmu;

/**
 * Builds a PV domain as Xen's toolstack does (libxenguest: xc_dom_build_image, xg_dom_core.c; xg_dom_x86.c; xc_dom_boot_image,
 * xg_dom_boot.c; public header xen.h, "initial domain layout"): from the virtual base on and pfn 0 come the kernel, the initrd unless the
 * kernel takes it unmapped, the p2m list unless the kernel names a place for it, start_info, the rings of xenstore and console, page
 * tables, the boot stack, and at least 512 KiB of padding up to a multiple of 4 MiB. Behind that, unmapped, the initrd and the p2m list
 * with its page tables.
 *
 * <p>Which machine frames a domain gets depends on the seed: runs of 2 MiB in random order, so that no pfn is its own mfn. So does what is
 * in memory and registers that the ABI leaves unspecified: with seed 0 zeros, with any other what the seed makes up. Cleared are the
 * kernel's .bss as its program headers tell, start_info, the two rings and unused entries of page tables.
 */
public final class PvBuilder {
  private static final long PADDING = 512 * 1024, ALIGNMENT = 4L << 20;

  /** Features (XENFEAT_*) that this Xen never offers a PV domain. */
  private static final long NEVER_OFFERED =
      1L << XenFeatures.WRITABLE_DESCRIPTOR_TABLES
          | 1L << XenFeatures.AUTO_TRANSLATED_PHYSMAP
          | 1L << XenFeatures.SUPERVISOR_MODE_KERNEL
          | 1L << XenFeatures.HVM_CALLBACK_VECTOR
          | 1L << XenFeatures.DOM0;

  /** Frames that a domain may own above those it starts with (libxl's LIBXL_MAXMEM_CONSTANT, 1 MiB). */
  private static final long EXTRA_FRAMES = 256;

  private static final int VCPU_INFO_IN_SHARED_INFO = 32;

  private final Hypervisor xen;
  private final Domain domain;
  private long maxMemoryBytes;
  private int storePort = 1;
  private int consolePort = 2;

  /** Builds into {@code domain}, which owns nothing yet and is known to its Xen. */
  public PvBuilder(Domain domain) {
    this.xen = domain.xen;
    this.domain = domain;
  }

  /** How many machine frames {@link GuestMemory} needs for a domain of {@code memoryBytes} with all that Xen itself takes. */
  public static long machineFrames(long memoryBytes) {
    return PvMmu.machineFrames(memoryBytes >>> GuestMemory.FRAME_SHIFT);
  }

  /** Sets what the memory map has room for, in place of the guest's memory. */
  public PvBuilder maxMemory(long bytes) {
    maxMemoryBytes = bytes;
    return this;
  }

  /** Sets the event channel ports of xenstore and console, in place of 1 and 2. */
  public PvBuilder ports(int store, int console) {
    storePort = store;
    consolePort = console;
    return this;
  }

  /**
   * Builds the domain and gives vcpu 0 its state to start with.
   *
   * @param initrd its bytes, or null for none
   * @param commandLine at most 1,023 bytes
   * @param memoryBytes the guest's memory, whole frames
   * @param seed chooses the machine frames
   * @throws BuildException if it cannot be built
   * @throws org.xenolith.image.ImageException if the image is no PV guest's
   */
  public PvDomain build(KernelImage image, byte[] initrd, String commandLine, long memoryBytes, long seed) {
    PvLayout layout = image.pvLayout();
    XenNotes notes = image.xenNotes();
    check(layout, notes, commandLine, memoryBytes);
    long frames = memoryBytes >>> GuestMemory.FRAME_SHIFT;
    domain.maxPages = frames + EXTRA_FRAMES;
    long[] p2m = xen.mmu.populate(domain, Math.toIntExact(frames), seed);
    GuestRam ram = new GuestRam(xen.memory, p2m);
    if (seed != 0) {
      ram.fillWithLeftovers(seed);
    }
    long base = layout.virtBase();

    // What the initial page tables map.
    loadKernel(ram, image, layout);
    boolean mappedModule = initrd != null && !notes.modStartPfn();
    MemorySegment module = initrd == null ? null : MemorySegment.ofArray(initrd);
    long modulePfn = mappedModule ? ram.allocate(module, "the initrd") : 0;
    OptionalLong p2mVa = p2mPlace(layout);
    long p2mPages = GuestRam.pages(frames * Long.BYTES);
    long p2mPfn = p2mVa.isPresent() ? 0 : ram.allocate(p2mPages, "the p2m list");
    long startInfoPfn = ram.allocate(1, "start_info");
    long storePfn = ram.allocate(1, "the xenstore page");
    long consolePfn = ram.allocate(1, "the console page");
    InitialPageTables tables = new InitialPageTables();
    long end = endOfMapping(tables, base, ram.next());
    long mappedPages = end - base >>> GuestMemory.FRAME_SHIFT;
    if (mappedPages > frames) {
      throw new BuildException(
          "not enough memory: the initial mapping needs %d MiB, the domain has %d".formatted(mappedPages >> 8, frames >> 8),
          "give the guest more memory");
    }
    long tableCount = tables.tablesNeeded(base, mappedPages);
    long tablePfn = ram.allocate(tableCount, "page tables");
    tables.map(base, mappedPages, 0, tablePfn);
    long stackPfn = ram.allocate(1, "the boot stack");
    ram.allocate(mappedPages - ram.next(), "padding");
    clear(ram, startInfoPfn, 1);
    clear(ram, storePfn, 1);
    clear(ram, consolePfn, 1);
    clear(ram, tablePfn, tableCount);

    // What they do not.
    StartInfo info = new StartInfo(ram, startInfoPfn);
    if (mappedModule) {
      info.mappedModule(base + (modulePfn << 12), initrd.length);
    } else if (initrd != null) {
      info.unmappedModule(ram.allocate(module, "the initrd"), GuestRam.pages(initrd.length) << 12);
    }
    if (p2mVa.isPresent()) {
      long p2mTables = tables.tablesNeeded(p2mVa.getAsLong(), p2mPages);
      p2mPfn = ram.allocate(p2mPages + p2mTables, "the p2m list");
      tables.map(p2mVa.getAsLong(), p2mPages, p2mPfn, p2mPfn + p2mPages);
      clear(ram, p2mPfn + p2mPages, p2mTables);
      info.p2mFrames(p2mPfn, p2mPages + p2mTables);
    }
    for (int pfn = 0; pfn < p2m.length; pfn++) {
      ram.writeLong((p2mPfn << 12) + (long) pfn * Long.BYTES, p2m[pfn]);
    }
    long rootMfn = ram.mfn(tables.write(ram));
    layout.hypercallPage().ifPresent(va -> ram.write(va - base, MemorySegment.ofArray(HypercallPage.contents())));

    makeSharedInfo();
    info.sharedInfo(domain.sharedInfoPa());
    info.store(ram.mfn(storePfn), storePort);
    info.console(ram.mfn(consolePfn), consolePort);
    info.pageTables(base + (tablePfn << 12), tableCount);
    info.p2mList(p2mVa.orElse(base + (p2mPfn << 12)));
    info.commandLine(commandLine);
    domain.memoryMap = MemoryOp.oneRegion(Math.max(memoryBytes, maxMemoryBytes));

    xen.mmu.pinRoot(domain, rootMfn);
    long stackTop = base + (stackPfn + 1 << 12);
    PvDomain built =
        new PvDomain(
            p2m, base + (startInfoPfn << 12), layout.virtEntry(), stackTop, rootMfn, ram.mfn(storePfn), ram.mfn(consolePfn), end);
    start(domain.vcpus.getFirst(), built, seed);
    return built;
  }

  private static void clear(GuestRam ram, long pfn, long pages) {
    ram.clear(pfn << GuestMemory.FRAME_SHIFT, pages << GuestMemory.FRAME_SHIFT);
  }

  private static void check(PvLayout layout, XenNotes notes, String commandLine, long memoryBytes) {
    int length = commandLine.getBytes(StandardCharsets.ISO_8859_1).length;
    if (length >= StartInfo.MAX_COMMAND_LINE) {
      throw new BuildException(
          "the command line has %d bytes; Xen passes on at most %d".formatted(length, StartInfo.MAX_COMMAND_LINE - 1), "shorten it");
    }
    if (commandLine.indexOf(0) >= 0) {
      throw new BuildException("the command line holds a NUL byte", "take it out");
    }
    if (memoryBytes <= 0 || memoryBytes % GuestMemory.FRAME_SIZE != 0) {
      throw new BuildException("%d bytes of memory are not whole pages".formatted(memoryBytes), "give a multiple of 4 KiB");
    }
    long missing = notes.features().required() & NEVER_OFFERED;
    if (missing != 0) {
      throw new BuildException(
          "the kernel requires %s, which Xen does not give a PV domain".formatted(String.join(", ", XenFeatures.names(missing))),
          "take a kernel that can do without");
    }
    if (notes.bsdSymtab()) {
      throw new BuildException("the kernel wants its symbol table loaded (note BSD_SYMTAB), which is not supported", "take one without");
    }
    if ((layout.virtBase() & GuestMemory.FRAME_SIZE - 1) != 0) {
      throw new BuildException("the kernel's virtual base 0x%x is not on a page".formatted(layout.virtBase()), "mend its note VIRT_BASE");
    }
    OptionalLong page = layout.hypercallPage();
    if (page.isPresent() && ((page.getAsLong() & 0xfff) != 0 || !within(layout, page.getAsLong()))) {
      throw new BuildException(
          "the hypercall page 0x%x is not a page of the image".formatted(page.getAsLong()), "mend its note HYPERCALL_PAGE");
    }
  }

  private static boolean within(PvLayout layout, long va) {
    return Long.compareUnsigned(va, layout.virtStart()) >= 0 && Long.compareUnsigned(va, layout.virtEnd()) < 0;
  }

  private static void loadKernel(GuestRam ram, KernelImage image, PvLayout layout) {
    long start = layout.virtStart() - layout.virtBase();
    ram.allocate(start >>> 12, "the gap before the kernel");
    long end = layout.virtEnd() - layout.virtBase();
    ram.allocate(GuestRam.pages(end) - (start >>> 12), "the kernel");
    for (Segment segment : image.elf().segments()) {
      if (segment.flags() != 0) {
        long address = segment.pa() - layout.paddrOffset();
        ram.write(address, segment.data());
        ram.clear(address + segment.fileSize(), segment.memorySize() - segment.fileSize());
      }
    }
  }

  /** The place the kernel wants the p2m list at, if it can be there: below the virtual base, on a page. */
  private static OptionalLong p2mPlace(PvLayout layout) {
    OptionalLong va = layout.initP2m();
    boolean usable =
        va.isPresent() && Long.compareUnsigned(va.getAsLong(), layout.virtBase()) < 0 && (va.getAsLong() & GuestMemory.FRAME_SIZE - 1) == 0;
    return usable ? va : OptionalLong.empty();
  }

  /** The end of the initial mapping, which holds its own page tables, the boot stack and the padding. */
  private static long endOfMapping(InitialPageTables tables, long base, long pagesBefore) {
    long pages = 1 + (PADDING >>> 12);
    while (true) {
      long end = base + (pagesBefore + pages << 12) + ALIGNMENT - 1 & -ALIGNMENT;
      long needed = tables.tablesNeeded(base, end - base >>> 12) + 1 + (PADDING >>> 12);
      if (base + (pagesBefore + needed << 12) <= end) {
        return end;
      }
      pages = needed;
    }
  }

  private void makeSharedInfo() {
    domain.sharedInfoMfn = xen.mmu.shareFrame(domain, true);
    if (domain.sharedInfoMfn < 0) {
      throw new BuildException("the machine has no frame left for shared_info", "give it more memory");
    }
    for (int n = 0; n < VCPU_INFO_IN_SHARED_INFO; n++) {
      xen.memory.writeByte(domain.sharedInfoPa() + (long) n * Vcpu.VCPU_INFO_SIZE + Vcpu.UPCALL_MASK, (byte) 1);
    }
    for (Vcpu v : domain.vcpus) {
      v.vcpuInfoPa = v.id < VCPU_INFO_IN_SHARED_INFO ? domain.sharedInfoPa() + (long) v.id * Vcpu.VCPU_INFO_SIZE : 0;
    }
  }

  private void start(Vcpu vcpu, PvDomain built, long seed) {
    int rc = xen.mmu.roots().install(vcpu, built.rootMfn(), 0);
    if (rc != 0) {
      throw new IllegalStateException("the domain's own root is refused, error " + rc);
    }
    StartState.set(vcpu, built, seed);
  }
}
