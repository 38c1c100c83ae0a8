package org.xenolith.xen.pvh;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Segment;
import org.xenolith.machine.acpi.AcpiTables;
import org.xenolith.machine.acpi.Aml;
import org.xenolith.machine.acpi.Fadt;
import org.xenolith.machine.acpi.Madt;
import org.xenolith.xen.Domain;
import org.xenolith.xen.Hypervisor;
import org.xenolith.xen.Vcpu;
import org.xenolith.xen.build.BuildException;
import org.xenolith.xen.mm.FrameTable;

/**
 * Builds a container's domain as Xen's toolstack does (libxenguest: meminit_hvm, alloc_magic_pages_hvm, bootlate_hvm, xg_dom_x86.c; libxl:
 * domain_construct_memmap, libxl_x86.c). RAM is from 0 on, and goes on at 4 GiB where it reaches the hole for the local APIC, the ACPI
 * tables and the special pages. The kernel goes where its program headers say, behind it the initrd, behind that struct hvm_start_info.
 * What memory holds that nothing was loaded to depends on the seed.
 *
 * <p>A kernel that says that it can be moved (PHYS32_RELOC) need not be: all of low memory is RAM.
 */
final class PvhBuilder {
  /** Where the hole below 4 GiB begins: at the first ACPI page (ACPI_INFO_PHYSICAL_ADDRESS). */
  private static final long HOLE = 0xfc00_0000L;

  private static final long HIGH = 1L << 32;

  /** Pages for ACPI tables, from {@link #HOLE} on, as many as the toolstack takes. */
  private static final int ACPI_PAGES = 9;

  /** The special pages (X86_HVM_END_SPECIAL_REGION, X86_HVM_NR_SPECIAL_PAGES), and what is in them. */
  private static final long SPECIAL = 0xfeff8L;

  private static final int SPECIAL_PAGES = 8, STORE = 4, IDENT_PT = 6, CONSOLE = 7;

  /** Frames that a domain may own above those it starts with (libxl's LIBXL_MAXMEM_CONSTANT, 1 MiB). */
  private static final long EXTRA_FRAMES = 256;

  private static final int VCPU_INFO_IN_SHARED_INFO = 32;

  /** struct hvm_start_info, version 1, and its module and memory map entries (public header arch-x86/hvm/start_info.h). */
  private static final int START_INFO = 56, MODULE = 32, MODULES = 2, MODULE_COMMAND_LINE = 1024, MAP_ENTRY = 24, E820_ENTRY = 20;

  private static final int MAGIC = 0x336e_c578, VERSION = 1;
  private static final int RAM = 1, RESERVED = 2, ACPI = 3;
  private static final int MAX_COMMAND_LINE = 4096;

  private record Region(long start, long size, int type) {}

  private final Domain domain;
  private final Hypervisor xen;
  private final P2m p2m;
  private final Unspecified unspecified;
  private final GuestPhysical memory;
  private final int onlineVcpus;

  /** @param onlineVcpus the first so many of the domain's vcpus are enabled; the others may be one day */
  PvhBuilder(Domain domain, P2m p2m, Unspecified unspecified, int onlineVcpus) {
    this.onlineVcpus = onlineVcpus;
    this.domain = domain;
    this.xen = domain.xen;
    this.p2m = p2m;
    this.unspecified = unspecified;
    this.memory = new GuestPhysical(xen.memory, p2m);
  }

  /** Tables that a second stage may have: what a toolstack lets Xen's pool have (libxl_get_required_paging_memory). */
  static int tables(long memoryBytes, int vcpus) {
    return Math.toIntExact(256L * vcpus + 2 * (memoryBytes >> 20));
  }

  /**
   * Builds the domain.
   *
   * @param initrd its bytes, or null for none
   * @param memoryBytes the guest's memory, whole frames
   * @param seed chooses the machine frames
   * @throws BuildException if it cannot be built
   * @throws org.xenolith.image.ImageException if the image has no PVH entry
   */
  PvhDomain build(KernelImage image, byte[] initrd, String commandLine, long memoryBytes, long seed, HvmParams params) {
    long entry = image.pvhEntry();
    check(commandLine, memoryBytes);
    long lowEnd = Math.min(memoryBytes, HOLE);
    long frames = memoryBytes >>> GuestMemory.FRAME_SHIFT;
    domain.maxPages = frames + EXTRA_FRAMES;
    populate(xen.mmu.populate(domain, Math.toIntExact(frames), seed), lowEnd >>> GuestMemory.FRAME_SHIFT);
    populateHole(SPECIAL, SPECIAL_PAGES);
    populateHole(HOLE >>> GuestMemory.FRAME_SHIFT, ACPI_PAGES);

    long kernelEnd = loadKernel(image, lowEnd);
    long initrdStart = pageUp(kernelEnd);
    long startInfo = initrd == null ? initrdStart : pageUp(initrdStart + initrd.length);
    byte[] line = commandLine.getBytes(StandardCharsets.ISO_8859_1);
    List<Region> map = map(memoryBytes, lowEnd);
    int size = START_INFO + lineSize(line) + MODULES * (MODULE + MODULE_COMMAND_LINE) + map.size() * MAP_ENTRY;
    if (startInfo + size > lowEnd) {
      throw new BuildException(
          "not enough memory: kernel and initrd end at %d KiB, the domain has %d below 4 GiB".formatted(startInfo >> 10, lowEnd >> 10),
          "give the guest more memory");
    }
    if (initrd != null) {
      memory.write(initrdStart, initrd);
    }
    memory.write(startInfo, startInfo(startInfo, line, initrd == null ? -1 : initrdStart, initrd, map, size));
    domain.memoryMap = e820(map);
    setParams(params);
    makeSharedInfo();
    return new PvhDomain(entry, startInfo, p2m.mfn(SPECIAL + STORE), p2m.mfn(SPECIAL + CONSOLE), lowEnd);
  }

  private static void check(String commandLine, long memoryBytes) {
    if (commandLine.length() >= MAX_COMMAND_LINE) {
      throw new BuildException("the command line has %d bytes".formatted(commandLine.length()), "shorten it below " + MAX_COMMAND_LINE);
    }
    if (commandLine.indexOf(0) >= 0) {
      throw new BuildException("the command line holds a NUL byte", "take it out");
    }
    if (memoryBytes <= 0 || memoryBytes % GuestMemory.FRAME_SIZE != 0) {
      throw new BuildException("%d bytes of memory are not whole pages of 4 KiB".formatted(memoryBytes), "give it whole MiB");
    }
  }

  private static long pageUp(long address) {
    return address + GuestMemory.FRAME_SIZE - 1 & -GuestMemory.FRAME_SIZE;
  }

  // ---- Memory ----

  /** Puts frames behind guest frames 0 to {@code lowFrames}, and 4 GiB and up: runs of 2 MiB by large leaves. */
  private void populate(long[] mfns, long lowFrames) {
    int run = 1 << P2m.ORDER_2M;
    for (int n = 0; n < mfns.length; ) {
      long gfn = n < lowFrames ? n : (HIGH >>> GuestMemory.FRAME_SHIFT) + n - lowFrames;
      boolean large = (gfn & run - 1) == 0 && n + run <= (n < lowFrames ? lowFrames : mfns.length) && inRow(mfns, n, run);
      int order = large ? P2m.ORDER_2M : 0;
      place(gfn, mfns[n], order);
      for (int k = 0; k < 1 << order; k++) {
        unspecified.add(mfns[n] + k);
      }
      n += 1 << order;
    }
  }

  private static boolean inRow(long[] mfns, int from, int count) {
    if ((mfns[from] & count - 1) != 0) {
      return false;
    }
    for (int n = 1; n < count; n++) {
      if (mfns[from + n] != mfns[from] + n) {
        return false;
      }
    }
    return true;
  }

  private void place(long gfn, long mfn, int order) {
    if (p2m.set(gfn, mfn, order, P2m.Kind.RAM) != 0) {
      throw new IllegalStateException("no table left for gfn 0x" + Long.toHexString(gfn));
    }
    for (int n = 0; n < 1 << order; n++) {
      xen.mmu.m2p().set(mfn + n, gfn + n);
    }
  }

  private void populateHole(long gfn, int pages) {
    for (int n = 0; n < pages; n++) {
      long mfn = xen.mmu.allocate(domain, 0, 0);
      if (mfn < 0) {
        throw new BuildException("the machine has no frames left for the special pages", "give it more memory");
      }
      place(gfn + n, mfn, 0);
    }
  }

  // ---- What is loaded ----

  private long loadKernel(KernelImage image, long lowEnd) {
    long end = 0;
    for (Segment segment : image.elf().segments()) {
      if (segment.memorySize() == 0) {
        continue;
      }
      long segmentEnd = segment.pa() + segment.memorySize();
      if (segment.pa() < 0 || segmentEnd < 0 || segmentEnd > lowEnd) {
        throw new BuildException(
            "the kernel goes to 0x%x to 0x%x, and the domain has memory up to 0x%x".formatted(segment.pa(), segmentEnd, lowEnd),
            "give the guest more memory");
      }
      memory.write(segment.pa(), segment.data());
      memory.clear(segment.pa() + segment.data().byteSize(), segment.memorySize() - segment.data().byteSize());
      end = Math.max(end, segmentEnd);
    }
    return end;
  }

  private static int lineSize(byte[] line) {
    return line.length + 1 + 7 & -8;
  }

  private List<Region> map(long memoryBytes, long lowEnd) {
    List<Region> map = new ArrayList<>();
    map.add(new Region(0, lowEnd, RAM));
    map.add(new Region(HOLE, (long) ACPI_PAGES << GuestMemory.FRAME_SHIFT, ACPI));
    map.add(new Region(SPECIAL << GuestMemory.FRAME_SHIFT, (long) SPECIAL_PAGES << GuestMemory.FRAME_SHIFT, RESERVED));
    if (memoryBytes > lowEnd) {
      map.add(new Region(HIGH, memoryBytes - lowEnd, RAM));
    }
    return map;
  }

  private byte[] startInfo(long at, byte[] line, long initrdStart, byte[] initrd, List<Region> map, int size) {
    ByteBuffer b = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    long modules = at + START_INFO + lineSize(line);
    long regions = modules + MODULES * (MODULE + MODULE_COMMAND_LINE);
    b.putInt(MAGIC).putInt(VERSION).putInt(0).putInt(initrd == null ? 0 : 1);
    b.putLong(initrd == null ? 0 : modules).putLong(at + START_INFO).putLong(acpiTables()).putLong(regions).putInt(map.size()).putInt(0);
    b.put(line);
    if (initrd != null) {
      b.position((int) (modules - at));
      b.putLong(initrdStart).putLong(initrd.length).putLong(0).putLong(0);
    }
    b.position((int) (regions - at));
    for (Region region : map) {
      b.putLong(region.start).putLong(region.size).putInt(region.type).putInt(0);
    }
    return b.array();
  }

  /** Writes ACPI tables that say how many processors there are, and that there is no other hardware; their root pointer's address. */
  private long acpiTables() {
    memory.clear(HOLE, (long) ACPI_PAGES << GuestMemory.FRAME_SHIFT);
    AcpiTables tables = new AcpiTables(memory::write, HOLE, (long) ACPI_PAGES << GuestMemory.FRAME_SHIFT);
    long dsdt = tables.place(Aml.dsdt());
    tables.add(Fadt.hardwareReduced(dsdt));
    tables.add(new Madt(domain.vcpus.size(), onlineVcpus, ContainerCpuid.apicId(1), false).table());
    return tables.finish();
  }

  private static byte[] e820(List<Region> map) {
    ByteBuffer b = ByteBuffer.allocate(map.size() * E820_ENTRY).order(ByteOrder.LITTLE_ENDIAN);
    for (Region region : map) {
      b.putLong(region.start).putLong(region.size).putInt(region.type);
    }
    return b.array();
  }

  private static void setParams(HvmParams params) {
    params.put(HvmParams.STORE_PFN, SPECIAL + STORE);
    params.put(HvmParams.CONSOLE_PFN, SPECIAL + CONSOLE);
    params.put(HvmParams.IDENT_PT, SPECIAL + IDENT_PT << GuestMemory.FRAME_SHIFT);
    params.put(HvmParams.TRIPLE_FAULT_REASON, Domain.SHUTDOWN_REBOOT);
  }

  private void makeSharedInfo() {
    domain.sharedInfoMfn = xen.mmu.shareFrame(domain, true);
    if (domain.sharedInfoMfn < 0) {
      throw new BuildException("the machine has no frame left for shared_info", "give it more memory");
    }
    xen.mmu.m2p().set(domain.sharedInfoMfn, FrameTable.INVALID_PFN);
    for (Vcpu v : domain.vcpus) {
      v.vcpuInfoPa = v.id < VCPU_INFO_IN_SHARED_INFO ? domain.sharedInfoPa() + (long) v.id * Vcpu.VCPU_INFO_SIZE : 0;
    }
  }
}
