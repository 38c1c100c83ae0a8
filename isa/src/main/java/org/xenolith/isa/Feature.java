package org.xenolith.isa;

/** What a processor must offer for a row to be an instruction on it: mostly CPUID bits, by the manuals' names. Without it: #UD. */
public enum Feature {
  /** Every processor with long mode has it. */
  BASE, POPCNT, SSE4_2, MOVBE, ADX, SSE2, CMOV, CX8, CX16, LAHF, SYSCALL, SEP, SSE, PREFETCHW, WBNOINVD, MSR, TSC, MONITOR, SMAP, XSAVE,
  LONG_MODE, RDTSCP, MONITORX, CLZERO, RDPRU, PKU, SERIALIZE, RTM, CET, UINTR, TSXLDTRK, INVPCID, FSGSBASE, PTWRITE, WAITPKG, RDRAND,
  RDSEED, RDPID, MOVDIRI, MOVDIR64B, ENQCMD, FXSR, XSAVEOPT, XSAVES, XSAVEC, CLFSH, CLFLUSHOPT, CLWB, VMX, SGX, PCONFIG, TDX, SVM, SEV,
  INVLPGB, SNP, X87, SSE3, MMX, SSE4A, SSSE3, SSE4_1, PCLMULQDQ, AES, SHA, GFNI
}
