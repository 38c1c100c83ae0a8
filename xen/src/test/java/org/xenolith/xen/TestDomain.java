package org.xenolith.xen;

import java.lang.foreign.Arena;
import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.Cpu;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.cpu.ProcessorModel;
import org.xenolith.isa.Feature;
import org.xenolith.machine.EventQueue;
import org.xenolith.xen.mm.PvMmu;

/**
 * A domain whose linear addresses of the first 2 MiB are equal to machine addresses, for tests of hypercalls. Below 1 MiB is for the tests.
 */
public final class TestDomain {
  /** The frame of shared_info. */
  public static final long SHARED_INFO_MFN = 8;

  /** Where tests put arguments of hypercalls. */
  public static final long ARGUMENTS = 0x10000;

  /** An address that nothing is mapped at. */
  public static final long UNMAPPED = 0x4000_0000L;

  private static final long L4 = 0x1000, L3 = 0x2000, L2 = 0x3000;
  private static final long PRESENT_WRITABLE_USER = 7, LARGE = 0x80;

  public final GuestMemory memory;
  public final Domain domain;

  public TestDomain(int vcpus) {
    long frames = PvMmu.machineFrames(1024);
    memory = new GuestMemory(Arena.ofAuto().allocate(frames * GuestMemory.FRAME_SIZE, GuestMemory.FRAME_SIZE));
    Clock clock = new Clock();
    CodeCache code = new CodeCache(memory);
    Hypervisor xen = new Hypervisor(memory, clock, new EventQueue(), code, Observer.NONE);
    domain = new Domain(xen, 1);
    domain.maxPages = 2048;
    xen.domains.add(domain);
    domain.sharedInfoMfn = SHARED_INFO_MFN;
    memory.writeLong(L4, L3 | PRESENT_WRITABLE_USER);
    memory.writeLong(L3, L2 | PRESENT_WRITABLE_USER);
    memory.writeLong(L2, PRESENT_WRITABLE_USER | LARGE);
    for (int id = 0; id < vcpus; id++) {
      Cpu cpu = new Cpu(new Processor(), memory, code, Bus.EMPTY, clock);
      cpu.cr0 = 0x8001_0001L;
      cpu.cr4 = 0x20;
      cpu.efer = 0xd00;
      cpu.cr3 = L4;
      cpu.selector[1] = 3;
      cpu.refresh();
      Vcpu vcpu = new Vcpu(domain, id, cpu);
      vcpu.vcpuInfoPa = (SHARED_INFO_MFN << GuestMemory.FRAME_SHIFT) + id * 64L;
      vcpu.state = Vcpu.State.BLOCKED;
      domain.vcpus.add(vcpu);
    }
  }

  public Vcpu vcpu(int id) {
    return domain.vcpus.get(id);
  }

  private static final class Processor implements ProcessorModel {
    @Override
    public boolean offers(Feature feature) {
      return true;
    }

    @Override
    public int physicalBits() {
      return 40;
    }

    @Override
    public void cpuid(Cpu cpu, int leaf, int subleaf, int[] result) {
      throw new UnsupportedOperationException();
    }
  }
}
