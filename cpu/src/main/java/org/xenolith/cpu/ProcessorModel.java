package org.xenolith.cpu;

import org.xenolith.isa.Feature;

/** What a processor offers: its features, and what CPUID, the model-specific part of its behaviour, says. Fixed for a run. */
public interface ProcessorModel {
  /** Whether instructions of a feature exist; others raise #UD. */
  boolean offers(Feature feature);

  /** Bits of a machine address, 36 to 52; higher ones are reserved in page-table entries. */
  int physicalBits();

  /**
   * CPUID: fills eax, ebx, ecx, edx.
   *
   * @param cpu the processor that asks; some answers depend on its registers and its number
   */
  void cpuid(Cpu cpu, int leaf, int subleaf, int[] result);
}
