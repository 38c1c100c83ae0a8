package org.xenolith.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.EnumSet;
import java.util.Set;
import org.xenolith.isa.Feature;

/**
 * The one processor model so far: AuthenticAMD family 15, model 107, stepping 1, the generation of QEMU's {@code qemu64}, so that kernels
 * choose the same mitigations on both; and x86-64-v2 with what goes with it. CPUID leaves by the AMD64 APM volume 3, appendix E. A machine
 * has one package, each of whose cores is a processor with the APIC identifier {@link Cpu#apicId}.
 *
 * <table>
 * <caption>CPUID</caption>
 * <tr><th>leaf<th>eax<th>ebx<th>ecx<th>edx
 * <tr><td>0<td>highest leaf, 13<td colspan=3>AuthenticAMD
 * <tr><td>1<td>signature<td>CLFLUSH of 64 bytes, number of cores, APIC id
 *   <td>SSE3 SSSE3 CX16 PCID SSE4.1 SSE4.2 x2APIC POPCNT TSC-deadline XSAVE,
 *   OSXSAVE with CR4's
 *   <td>FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2, HTT with several cores
 * <tr><td>6<td>ARAT<td>0<td>0<td>0
 * <tr><td>7.0<td>0<td>FSGSBASE TSC_ADJUST SMEP INVPCID SMAP<td>UMIP<td>0
 * <tr><td>11<td colspan=4>one thread in a core, and the cores of the package
 * <tr><td>13.0<td>x87 SSE<td>576<td>576<td>0
 * <tr><td>13.1<td>XSAVEOPT XSAVEC XGETBV1<td>576<td>0<td>0
 * <tr><td>8000_0000<td>highest leaf, 8000_0008<td colspan=3>AuthenticAMD
 * <tr><td>8000_0001<td>signature<td>0<td>LAHF_LM, CmpLegacy with several cores
 *   <td>SYSCALL NX PAGE1GB RDTSCP LM, and those of leaf 1 that AMD repeats
 * <tr><td>8000_0002 to 4<td colspan=4>name
 * <tr><td>8000_0005, 6<td colspan=4>caches: 64 KiB L1 twice, 512 KiB L2
 * <tr><td>8000_0007<td>0<td>0<td>0<td>invariant TSC
 * <tr><td>8000_0008<td>40 bits physical, 48 bits linear<td>0<td>number of cores<td>0
 * </table>
 *
 * <p>All other leaves are 0. Not offered, and so absent from CPUID and #UD as instructions: LA57, FRED, CET, PKU, AVX, XSAVES,
 * MONITOR, RDRAND, RDSEED, SVM, 3DNow!, MOVBE, BMI, ADX, AES, PCLMULQDQ, SHA, CLFLUSHOPT, CLWB, RDPID, VME.
 * PREFETCH and PREFETCHW come with LM (APM volume 3).
 */
public final class AmdModel implements ProcessorModel {
  /** CPUID 1 eax: extended model 6, family 15, model 11, stepping 1. */
  private static final int SIGNATURE = 0x0006_0fb1;

  private static final int PHYSICAL_BITS = 40;
  private static final int LINEAR_BITS = 48;

  private static final Set<Feature> FEATURES =
      EnumSet.of(
          Feature.BASE, Feature.LONG_MODE, Feature.CMOV, Feature.CX8, Feature.CX16, Feature.LAHF, Feature.POPCNT, Feature.SYSCALL,
          Feature.SEP, Feature.MSR, Feature.TSC, Feature.RDTSCP, Feature.SMAP, Feature.CLFSH, Feature.PREFETCHW, Feature.X87, Feature.MMX,
          Feature.FXSR, Feature.FSGSBASE, Feature.INVPCID, Feature.XSAVE,
          Feature.XSAVEOPT, Feature.XSAVEC, Feature.SSE, Feature.SSE2, Feature.SSE3, Feature.SSSE3, Feature.SSE4_1, Feature.SSE4_2);

  /** FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2. */
  private static final int LEAF1_EDX = bits(0, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26);

  private static final int HTT = bits(28), APIC = bits(9);

  /** The global enable bit of the local APIC's base register. */
  private static final int APIC_ENABLED = 1 << 11;

  /** SSE3 SSSE3 CX16 PCID SSE4.1 SSE4.2 x2APIC POPCNT TSC-deadline XSAVE. */
  private static final int LEAF1_ECX = bits(0, 9, 13, 17, 19, 20, 21, 23, 24, 26);

  private static final int OSXSAVE = bits(27);

  /** XSAVEOPT XSAVEC XGETBV1. */
  private static final int LEAF13_EAX = bits(0, 1, 2);

  /** ARAT: the local APIC's timer never stops. */
  private static final int LEAF6_EAX = bits(2);

  /** FSGSBASE TSC_ADJUST SMEP INVPCID SMAP. */
  private static final int LEAF7_EBX = bits(0, 1, 7, 10, 20);

  /** UMIP. */
  private static final int LEAF7_ECX = bits(2);

  /** The bits of leaf 1's edx that AMD repeats in leaf 8000_0001. */
  private static final int REPEATED = 0x0183_f3ff;

  /** SYSCALL NX PAGE1GB RDTSCP LM. */
  private static final int EXTENDED_EDX = LEAF1_EDX & REPEATED & ~bits(11) | bits(11, 20, 26, 27, 29);

  /** LAHF_LM. */
  private static final int EXTENDED_ECX = bits(0);

  private static final int CMP_LEGACY = bits(1);

  private static final int[] NAME = words("Xenolith Virtual CPU", 12);
  private static final int[] VENDOR = words("AuthenticAMD", 3);

  private final int cores;

  /** A machine with one processor. */
  public AmdModel() {
    this(1);
  }

  /**
   * @param processors how many processors the machine has, 1 to 255
   */
  public AmdModel(int processors) {
    if (processors < 1 || processors > 255) {
      throw new IllegalArgumentException(processors + " processors");
    }
    this.cores = processors;
  }

  private static int bits(int... numbers) {
    int mask = 0;
    for (int n : numbers) {
      mask |= 1 << n;
    }
    return mask;
  }

  private static int[] words(String text, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(text.getBytes(StandardCharsets.US_ASCII)).rewind();
    int[] words = new int[count];
    bytes.asIntBuffer().get(words);
    return words;
  }

  @Override
  public boolean offers(Feature feature) {
    return FEATURES.contains(feature);
  }

  @Override
  public int physicalBits() {
    return PHYSICAL_BITS;
  }

  @Override
  public void cpuid(Cpu cpu, int leaf, int subleaf, int[] result) {
    switch (leaf) {
      case 0 -> set(result, 13, VENDOR[0], VENDOR[2], VENDOR[1]);
      case 1 -> {
        int ecx = LEAF1_ECX | ((cpu.cr4 & Cpu.CR4_OSXSAVE) != 0 ? OSXSAVE : 0);
        int edx = (LEAF1_EDX | (cores > 1 ? HTT : 0)) & ~disabledApic(cpu);
        set(result, SIGNATURE, cpu.apicId << 24 | cores << 16 | 64 / 8 << 8, ecx, edx);
      }
      case 6 -> set(result, LEAF6_EAX, 0, 0, 0);
      case 7 -> set(result, 0, subleaf == 0 ? LEAF7_EBX : 0, subleaf == 0 ? LEAF7_ECX : 0, 0);
      case 11 -> topology(cpu, subleaf, result);
      case 13 -> {
        switch (subleaf) {
          case 0 -> set(result, ExtendedState.ALL, ExtendedState.SIZE, ExtendedState.SIZE, 0);
          case 1 -> set(result, LEAF13_EAX, ExtendedState.SIZE, 0, 0);
          default -> set(result, 0, 0, 0, 0);
        }
      }
      case 0x8000_0000 -> set(result, 0x8000_0008, VENDOR[0], VENDOR[2], VENDOR[1]);
      case 0x8000_0001 -> set(result, SIGNATURE, 0, EXTENDED_ECX | (cores > 1 ? CMP_LEGACY : 0), EXTENDED_EDX & ~disabledApic(cpu));
      case 0x8000_0002, 0x8000_0003, 0x8000_0004 -> {
        int at = (leaf - 0x8000_0002) * 4;
        set(result, NAME[at], NAME[at + 1], NAME[at + 2], NAME[at + 3]);
      }
      // Two TLBs of 255 entries, one way each; 64 KiB, two ways, lines of 64 bytes, for data and for instructions.
      case 0x8000_0005 -> set(result, 0x01ff_01ff, 0x01ff_01ff, 0x4002_0140, 0x4002_0140);
      // No L2 TLB; 512 KiB, 16 ways, lines of 64 bytes; no L3.
      case 0x8000_0006 -> set(result, 0, 0, 0x0200_8140, 0);
      case 0x8000_0007 -> set(result, 0, 0, 0, bits(8));
      case 0x8000_0008 -> set(result, PHYSICAL_BITS | LINEAR_BITS << 8, 0, coreIdBits() << 12 | cores - 1, 0);
      default -> set(result, 0, 0, 0, 0);
    }
  }

  /** The APIC's bit of leaf 1 where the local APIC is disabled by its base register. */
  private static int disabledApic(Cpu cpu) {
    long[] base = new long[1];
    return cpu.platform.readMsr(Msrs.APIC_BASE, base) && (base[0] & APIC_ENABLED) == 0 ? APIC : 0;
  }

  /** The threads of a core, then the cores of the package: bits of the identifier, processors, kind of level, identifier. */
  private void topology(Cpu cpu, int subleaf, int[] result) {
    switch (subleaf) {
      case 0 -> set(result, 0, 1, 1 << 8, cpu.apicId);
      case 1 -> set(result, coreIdBits(), cores, 2 << 8 | 1, cpu.apicId);
      default -> set(result, 0, 0, subleaf & 0xff, cpu.apicId);
    }
  }

  /** Bits of an APIC identifier that number the cores of a package. */
  private int coreIdBits() {
    return 32 - Integer.numberOfLeadingZeros(cores - 1);
  }

  private static void set(int[] result, int eax, int ebx, int ecx, int edx) {
    result[0] = eax;
    result[1] = ebx;
    result[2] = ecx;
    result[3] = edx;
  }
}
